"""Effects that are committed under the lease, or not at all."""

from __future__ import annotations

import os
from types import TracebackType
from uuid import UUID

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from chroniker.clock.database_clock import FromNow
from chroniker.conf import settings
from chroniker.exceptions import LeaseLost
from chroniker.models import Lease, Run

# A *shared* lock on the run: closing or expiring it writes that row, so it waits; renewals write the lease only.
_SHARED = {
    "postgresql": "SELECT 1 FROM {table} WHERE id = %s FOR SHARE",
    "mysql": "SELECT 1 FROM {table} WHERE id = %s LOCK IN SHARE MODE",
    # SQLite locks as a whole, and only for writers: this write of nothing takes that lock.
    "sqlite": "UPDATE {table} SET token = token WHERE id = %s",
}


class Fence:
    """``with Fence():`` see ``chroniker.fence``. Who, is read from the environment that the supervisor set."""

    def __init__(self) -> None:
        run_id = os.environ.get("CHRONIKER_RUN_ID")
        self.run_id = UUID(run_id) if run_id else None
        self.token = int(os.environ.get("CHRONIKER_RUN_TOKEN", "0"))
        self._atomic = transaction.atomic(using=settings.database)

    def __enter__(self) -> Fence:
        self._atomic.__enter__()
        try:
            self._lock()
        except BaseException as error:
            self._atomic.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._atomic.__exit__(kind, error, trace)

    def _lock(self) -> None:
        if self.run_id is None:
            return  # not started by a supervisor: there is no lease to hold
        connection = connections[settings.database]
        with connection.cursor() as cursor:
            _bound_idleness(connection)
            key = Run._meta.pk.get_db_prep_value(self.run_id, connection)
            table = connection.ops.quote_name(Run._meta.db_table)
            cursor.execute(_SHARED[connection.vendor].format(table=table), [key])
        lease = Lease.objects.filter(pk=self.run_id, token=self.token)
        if not settings.check_lock_file:
            lease = lease.filter(expires_at__gt=FromNow())
        if not lease.exists():
            raise LeaseLost


def _bound_idleness(connection: BaseDatabaseWrapper) -> None:
    """A fence forgotten open would keep its run from ever being closed; PostgreSQL can end it."""
    if connection.vendor == "postgresql":
        millis = int(settings.lease.total_seconds() * 1000)
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(millis)])
            cursor.execute("SELECT set_config('idle_in_transaction_session_timeout', %s, true)", [str(millis)])
