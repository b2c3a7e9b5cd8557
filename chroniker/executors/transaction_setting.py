"""A setting of PostgreSQL for the transactions of a block, without a setting on the database session.

A pooler such as PgBouncer gives the session to another client after each transaction. A session setting would then
apply to that client too.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

Execute = Callable[[str, Any, bool, dict[str, Any]], Any]

_IDLE_TRANSACTION_STATUS = 0  # libpq's PQTRANS_IDLE


@contextmanager
def use_asynchronous_commit(alias: str) -> Iterator[None]:
    """The commits of this block do not wait for the disk of the server; on other databases than PostgreSQL they do.

    Others see at once what is committed. If the server crashes, the transactions of its last second may be lost, each
    of them as a whole. So use it only for what may be lost. Inside a transaction of the caller nothing changes.
    """
    connection = connections[alias]
    if connection.vendor != "postgresql" or connection.in_atomic_block:
        yield
        return
    with connection.execute_wrapper(TransactionSetting("synchronous_commit", "off")):
        yield


class TransactionSetting:
    """An execute wrapper. SET LOCAL is the first statement of each transaction, and its effect ends with it."""

    def __init__(self, name: str, value: str) -> None:
        self._statement = f"SET LOCAL {name} = {value}"

    def __call__(self, execute: Execute, sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        connection: BaseDatabaseWrapper = context["connection"]
        if not _is_new_transaction(connection):
            return execute(sql, params, many, context)
        if not many and _accepts_two_statements(context["cursor"].cursor):
            # One message to the server, which is one transaction of its own outside of ``atomic``.
            result = execute(f"{self._statement}; {sql}", params, many, context)
            context["cursor"].cursor.nextset()
            return result
        if not connection.in_atomic_block:
            with transaction.atomic(using=connection.alias):
                return self(execute, sql, params, many, context)
        with connection.connection.cursor() as cursor:
            cursor.execute(self._statement)
        return execute(sql, params, many, context)


def _is_new_transaction(connection: BaseDatabaseWrapper) -> bool:
    """Whether the driver has not sent BEGIN yet: it does so with the first statement."""
    return int(connection.connection.info.transaction_status) == _IDLE_TRANSACTION_STATUS


def _accepts_two_statements(cursor: Any) -> bool:
    """Whether the driver sends two statements as one text: psycopg 3, where it fills in the parameters itself."""
    psycopg = sys.modules.get("psycopg")
    return psycopg is not None and isinstance(cursor, psycopg.ClientCursor)
