"""A Django database backend: SQLite in memory, with virtual time and faults at statements and commits."""
