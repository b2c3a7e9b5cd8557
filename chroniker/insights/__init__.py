"""What pages and commands show of jobs: status, ledger, durations, dependency graph, reliability. Reads only."""
