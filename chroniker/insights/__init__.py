"""Facts about jobs for pages and commands: status, ledger, durations, dependency graph, reliability.

Belongs here: read-only queries that several pages or commands use. Does not belong here: writes, rules whether a job
may run (``eligibility``), and HTML.
"""
