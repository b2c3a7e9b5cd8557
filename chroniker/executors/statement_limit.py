"""A time limit for the statements of a supervisor, without a setting on the database session.

A pooler such as PgBouncer gives the session to another client after each transaction. A session setting would then
limit that client's statements.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from chroniker.executors.transaction_setting import Execute, TransactionSetting

_MIN_STATEMENT_TIME_LIMIT_SECONDS = 0.1
#: The statements of the ORM that may take long. MariaDB does not accept the limit before every other statement.
_STATEMENT_KINDS_WITH_TIME_LIMIT = ("SELECT", "INSERT", "UPDATE", "DELETE", "REPLACE")


@contextmanager
def limit_statement_time(alias: str, seconds: float) -> Iterator[None]:
    """Limit how long each statement may take and wait for a lock. On SQLite: how long it may wait for the lock.

    Inside a transaction of the caller (inline executor, tests) nothing changes. Limit: MySQL has no time limit for a
    single statement or transaction; a run whose statement hangs there ends with its lease.
    """
    connection = connections[alias]
    seconds = max(seconds, _MIN_STATEMENT_TIME_LIMIT_SECONDS)
    if connection.in_atomic_block:
        yield
    elif connection.vendor == "postgresql":
        with connection.execute_wrapper(TransactionSetting("statement_timeout", str(int(seconds * 1000)))):
            yield
    elif connection.vendor == "mysql" and connection.mysql_is_mariadb:  # type: ignore[attr-defined]
        with connection.execute_wrapper(_mariadb_limit_wrapper(seconds)):
            yield
    else:
        if connection.vendor == "sqlite":
            _set_sqlite_lock_timeout(connection, seconds)
        yield


def _mariadb_limit_wrapper(seconds: float) -> Callable[..., Any]:
    """MariaDB: SET STATEMENT … FOR applies to one statement. (SET LOCAL would apply to the session there.)"""
    prefix = f"SET STATEMENT max_statement_time={seconds:.3f}, innodb_lock_wait_timeout={max(1, int(seconds))} FOR "

    def wrapper(execute: Execute, sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        limited = prefix + sql if sql.lstrip("( ").startswith(_STATEMENT_KINDS_WITH_TIME_LIMIT) else sql
        return execute(limited, params, many, context)

    return wrapper


def _set_sqlite_lock_timeout(connection: BaseDatabaseWrapper, seconds: float) -> None:
    """SQLite has no server: the connection, and so its setting, belongs to this process alone."""
    # The opened connection itself, not its id(): a new one usually gets the id of the closed one.
    if getattr(connection, "chroniker_limit", None) == (connection.connection, seconds):
        return
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")
    connection.chroniker_limit = (connection.connection, seconds)  # type: ignore[attr-defined]
