"""A supervisor in a test's own process, and the commands that it supervises."""
