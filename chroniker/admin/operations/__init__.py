"""Pages for operators: hosts, outgoing messages, reliability. Pages of jobs and runs do not belong here."""
