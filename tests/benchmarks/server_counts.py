"""What the worker makes PostgreSQL do: statements, sessions and flushes of the write-ahead log. Counts, not times."""

from __future__ import annotations

import time

from django.db import connection

from tests.benchmarks.measuring import Row, figure

_COUNTS = """
    SELECT (SELECT sessions FROM pg_stat_database WHERE datname = current_database()),
           (SELECT wal_sync FROM pg_stat_wal)
"""
#: Without those of transactions and their limits, those of the server itself for foreign keys, and the benchmark's own
#: question whether all runs have ended. With those of the claim.
_STATEMENTS = """
    SELECT coalesce(sum(calls), 0) FROM pg_stat_statements
    WHERE query !~* '^(begin|commit|rollback|savepoint|release|set |select set_config)'
    AND query !~ '(OPERATOR.pg_catalog|"status" IN .* LIMIT)'
"""
#: A session that does nothing more reports its last counts after ten seconds.
_SECONDS = 11.0


class ServerCounts:
    """``per_run`` returns the counts since the creation. Empty for other databases than PostgreSQL."""

    def __init__(self) -> None:
        self._before = self._read()

    def per_run(self, runs: int) -> Row:
        counts = [after - before for before, after in zip(self._before, self._read(), strict=True)]
        names = ("connections_per_run", "fsyncs_per_run", "statements_per_run")
        return {name: figure(count / runs) for name, count in zip(names, counts, strict=False)}

    def _read(self) -> list[float]:
        if connection.vendor != "postgresql":
            return []
        time.sleep(_SECONDS)
        with connection.cursor() as cursor:
            cursor.execute(_COUNTS)
            counts = list(map(float, cursor.fetchone()))
            cursor.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'pg_stat_statements'")
            if cursor.fetchone():
                cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
                cursor.execute(_STATEMENTS)
                counts += map(float, cursor.fetchone())
        return counts
