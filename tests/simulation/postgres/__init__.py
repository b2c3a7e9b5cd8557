"""A Django database backend: a real PostgreSQL server in virtual time, with real row locks and snapshots."""
