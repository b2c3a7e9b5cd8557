"""How long a statement of a supervisor may take, without a trace on the database session.

A session setting would stay behind: a pooler such as PgBouncer gives the session to another client after each
transaction, and that client's statements would be cut off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

Execute = Callable[[str, Any, bool, dict[str, Any]], Any]

_SHORTEST = 0.1
_IDLE = 0  # libpq's PQTRANS_IDLE
#: What may take long, of the statements that the ORM sends. MariaDB does not accept every other one behind the limit.
_LIMITABLE = ("SELECT", "INSERT", "UPDATE", "DELETE", "REPLACE")


@contextmanager
def statement_limit(alias: str, seconds: float) -> Iterator[None]:
    """No statement inside takes longer, nor waits longer for a lock. SQLite: waits no longer for its lock.

    In a transaction of the caller's (inline executor, tests) nothing changes: its limits are the caller's. MySQL has
    no limit for a single statement or transaction: a statement that hangs there ends with its run's lease.
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
        if not connection.in_atomic_block:
            with transaction.atomic(using=connection.alias):
                return self(execute, sql, params, many, context)
        if _is_new_transaction(connection):
            with connection.connection.cursor() as cursor:
                cursor.execute(self._limit)
        return execute(sql, params, many, context)


def _is_new_transaction(connection: BaseDatabaseWrapper) -> bool:
    """Whether the driver has not sent BEGIN yet: it does so with the first statement."""
    return int(connection.connection.info.transaction_status) == _IDLE


def _limit_statements(seconds: float) -> Callable[..., Any]:
    """MariaDB: SET STATEMENT … FOR holds for one statement. (SET LOCAL would mean the session there.)"""
    prefix = f"SET STATEMENT max_statement_time={seconds:.3f}, innodb_lock_wait_timeout={max(1, int(seconds))} FOR "

    def wrapper(execute: Execute, sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        limited = prefix + sql if sql.lstrip("( ").startswith(_LIMITABLE) else sql
        return execute(limited, params, many, context)

    return wrapper


def _wait_for_lock(connection: BaseDatabaseWrapper, seconds: float) -> None:
    """SQLite has no server: the connection is this process's own, and so is its setting."""
    if getattr(connection, "chroniker_limit", None) == (id(connection.connection), seconds):
        return
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")
    connection.chroniker_limit = (id(connection.connection), seconds)  # type: ignore[attr-defined]
