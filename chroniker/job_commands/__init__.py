"""The commands that jobs may run: which are allowed, the list of them, their options, their environment."""
