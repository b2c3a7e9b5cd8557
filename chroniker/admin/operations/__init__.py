"""What an operator looks at: hosts, outgoing messages, reliability."""
