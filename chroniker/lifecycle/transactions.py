"""Run a short transaction, and repeat it after a conflict; lock rows; send signals."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection
from typing import Any, ParamSpec, TypeVar

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model, QuerySet
from django.dispatch import Signal

from chroniker.conf import settings
from chroniker.models import JobState
from chroniker.models.conflicts import retry_after_conflict

P = ParamSpec("P")
R = TypeVar("R")
M = TypeVar("M", bound=Model)


def transactional(step: Callable[P, R]) -> Callable[P, R]:
    """Run ``step`` in one transaction on the deciding database, and repeat it after a conflict with another one.

    Inside a transaction of the caller nothing is repeated: the caller has to repeat the whole transaction.
    """

    @retry_after_conflict
    @functools.wraps(step)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        connection = connections[settings.database]
        is_outermost = not connection.in_atomic_block
        with transaction.atomic(using=settings.database):
            if is_outermost:
                _limit_idle_transaction_time(connection)
            return step(*args, **kwargs)

    return wrapper


def _limit_idle_transaction_time(connection: BaseDatabaseWrapper) -> None:
    """PostgreSQL: limit how long this transaction may be idle. A process that hangs in it would block others.

    The limit ends with the transaction, so that a pooled connection keeps none of our settings. MariaDB has such a
    limit for whole sessions only.
    """
    if connection.vendor == "postgresql":
        limit = f"{settings.lease.total_seconds() * 1000:.0f}"
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('idle_in_transaction_session_timeout', %s, true)", [limit])


@transactional
def wait_for_state_locks(job_ids: Collection[int]) -> None:
    """Wait until no other transaction holds the states of these jobs: their changes are then committed."""
    list(lock_rows(JobState.objects.filter(pk__in=job_ids), skip=False).values_list("pk", flat=True))


def lock_rows(rows: QuerySet[M], *, skip: bool) -> QuerySet[M]:
    """Lock ``rows`` in the order of their keys. ``skip``: leave out rows that another transaction has locked.

    Where SKIP LOCKED does not exist or is off (``CHRONIKER_SELECT_FOR_UPDATE``), it waits for those rows too. SQLite
    locks no rows: there a writing transaction locks the whole database.
    """
    features = connections[rows.db].features
    return rows.order_by("pk").select_for_update(
        skip_locked=skip and settings.select_for_update and features.has_select_for_update_skip_locked,
        no_key=features.has_select_for_no_key_update,
    )


def send_signal_after_commit(signal: Signal, sender: type, **arguments: Any) -> None:
    """Send a signal at once, or after the commit of the caller's transaction; not at all if the transaction is rolled
    back."""
    transaction.on_commit(lambda: signal.send_robust(sender, **arguments), using=settings.database)
