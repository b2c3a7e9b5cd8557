"""A time limit for the statements of a supervisor, without a setting on the database session.

A pooler such as PgBouncer gives the session to another client after each transaction. A session setting would then
limit that client's statements.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

Execute = Callable[[str, Any, bool, dict[str, Any]], Any]

_SHORTEST = 0.1
_IDLE = 0  # libpq's PQTRANS_IDLE
#: The statements of the ORM that may take long. MariaDB does not accept the limit before every other statement.
_LIMITABLE = ("SELECT", "INSERT", "UPDATE", "DELETE", "REPLACE")


@contextmanager
def statement_limit(alias: str, seconds: float) -> Iterator[None]:
    """Limit how long each statement may take and wait for a lock. SQLite: how long it may wait for its lock.

    Inside a transaction of the caller (inline executor, tests) nothing changes. Limit: MySQL has no time limit for a
    single statement or transaction; a run whose statement hangs there ends with its lease.
    """
    connection = connections[alias]
    seconds = max(seconds, _SHORTEST)
    if connection.in_atomic_block:
        yield
    elif connection.vendor == "postgresql":
        with connection.execute_wrapper(_LimitTransactions(seconds)):
            yield
    elif connection.vendor == "mysql" and connection.mysql_is_mariadb:  # type: ignore[attr-defined]
        with connection.execute_wrapper(_limit_statements(seconds)):
            yield
    else:
        if connection.vendor == "sqlite":
            _wait_for_lock(connection, seconds)
        yield


class _LimitTransactions:
    """PostgreSQL: SET LOCAL is the first statement of each transaction; it ends with the transaction."""

    def __init__(self, seconds: float) -> None:
        self._limit = f"SET LOCAL statement_timeout = {int(seconds * 1000)}"

    def __call__(self, execute: Execute, sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        connection: BaseDatabaseWrapper = context["connection"]
        if not _is_new_transaction(connection):
            return execute(sql, params, many, context)
        if not many and _takes_two_statements(context["cursor"].cursor):
            # One message to the server, which is one transaction of its own outside of ``atomic``.
            result = execute(f"{self._limit}; {sql}", params, many, context)
            context["cursor"].cursor.nextset()
            return result
        if not connection.in_atomic_block:
            with transaction.atomic(using=connection.alias):
                return self(execute, sql, params, many, context)
        with connection.connection.cursor() as cursor:
            cursor.execute(self._limit)
        return execute(sql, params, many, context)


def _is_new_transaction(connection: BaseDatabaseWrapper) -> bool:
    """Whether the driver has not sent BEGIN yet: it does so with the first statement."""
    return int(connection.connection.info.transaction_status) == _IDLE


def _takes_two_statements(cursor: Any) -> bool:
    """Whether the driver sends two statements as one text: psycopg 3, where it fills in the parameters itself."""
    psycopg = sys.modules.get("psycopg")
    return psycopg is not None and isinstance(cursor, psycopg.ClientCursor)


def _limit_statements(seconds: float) -> Callable[..., Any]:
    """MariaDB: SET STATEMENT … FOR applies to one statement. (SET LOCAL would apply to the session there.)"""
    prefix = f"SET STATEMENT max_statement_time={seconds:.3f}, innodb_lock_wait_timeout={max(1, int(seconds))} FOR "

    def wrapper(execute: Execute, sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        limited = prefix + sql if sql.lstrip("( ").startswith(_LIMITABLE) else sql
        return execute(limited, params, many, context)

    return wrapper


def _wait_for_lock(connection: BaseDatabaseWrapper, seconds: float) -> None:
    """SQLite has no server: the connection, and so its setting, belongs to this process alone."""
    # The opened connection itself, not its id(): a new one usually gets the id of the closed one.
    if getattr(connection, "chroniker_limit", None) == (connection.connection, seconds):
        return
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")
    connection.chroniker_limit = (connection.connection, seconds)  # type: ignore[attr-defined]
