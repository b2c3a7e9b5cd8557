"""The promises, checked from outside: tables by SQL, trees by a witness. Shares no code with the product."""
