"""The fence: effects are committed while the run holds its lease, or not at all."""

from __future__ import annotations

import os
from types import TracebackType
from uuid import UUID

from django.db import OperationalError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from chroniker.conf import settings
from chroniker.exceptions import LeaseLost
from chroniker.models import Run

# A *shared* lock on the run: closing the run writes that row, so it waits. While the run is open, no other run gets
# the lease. The lease itself is not read: a lock on it would block renewals, and at REPEATABLE READ and above a plain
# read may return an old snapshot. A locking read returns the newest row.
_OPEN_RUN_SQL = "FROM {table} WHERE id = %s AND token = %s AND status = 'RUNNING'"
_LOCK_RUN_SQL = {
    "postgresql": f"SELECT 1 {_OPEN_RUN_SQL} FOR SHARE",  # nosec B608  # no values
    "mysql": f"SELECT 1 {_OPEN_RUN_SQL} LOCK IN SHARE MODE",  # nosec B608  # no values
    # SQLite has one lock for the whole database, for writers only: this write changes nothing and takes it.
    "sqlite": "UPDATE {table} SET token = token WHERE id = %s AND token = %s AND status = 'RUNNING'",
}
_SERIALIZATION_FAILURE = "40001"  # PostgreSQL: the row has changed since this transaction's snapshot


class Fence:
    """``with Fence():`` see ``chroniker.fence``. The run is the one in the environment that the supervisor set.

    Guarantees, on each isolation level: the block is entered only while the run is open, and the run cannot be closed
    before the block's transaction ends. On PostgreSQL at REPEATABLE READ, LeaseLost is also raised where the run was
    changed in any other way since the transaction's first statement.
    """

    def __init__(self) -> None:
        run_id = os.environ.get("CHRONIKER_RUN_ID")
        self.run_id = UUID(run_id) if run_id else None
        self.token = int(os.environ.get("CHRONIKER_RUN_TOKEN", "0"))
        self._atomic = transaction.atomic(using=settings.database)

    def __enter__(self) -> Fence:
        self._atomic.__enter__()
        try:
            self._lock_run()
        except BaseException as error:
            self._atomic.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._atomic.__exit__(kind, error, trace)

    def _lock_run(self) -> None:
        if self.run_id is None:
            return  # not started by a supervisor: there is no lease to hold
        connection = connections[settings.database]
        key = Run._meta.pk.get_db_prep_value(self.run_id, connection)
        table = connection.ops.quote_name(Run._meta.db_table)
        with connection.cursor() as cursor:
            _limit_idle_transaction_time(connection)
            try:
                cursor.execute(_LOCK_RUN_SQL[connection.vendor].format(table=table), [key, self.token])
            except OperationalError as error:
                if getattr(error.__cause__, "sqlstate", None) == _SERIALIZATION_FAILURE:
                    raise LeaseLost from error
                raise
            is_open = cursor.rowcount > 0 if connection.vendor == "sqlite" else cursor.fetchone() is not None
        if not is_open:
            raise LeaseLost


def _limit_idle_transaction_time(connection: BaseDatabaseWrapper) -> None:
    """Limit idle time on PostgreSQL: a fence that is never left would prevent the end of its run."""
    if connection.vendor == "postgresql":
        millis = int(settings.lease.total_seconds() * 1000)
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(millis)])
            cursor.execute("SELECT set_config('idle_in_transaction_session_timeout', %s, true)", [str(millis)])
