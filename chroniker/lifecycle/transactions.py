"""Run a short transaction, and repeat it after a deadlock or a serialization failure; lock rows; send signals."""

from __future__ import annotations

import functools
import random
import time
from collections.abc import Callable, Collection
from typing import Any, ParamSpec, TypeVar

from django.db import IntegrityError, OperationalError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model, QuerySet
from django.dispatch import Signal

from chroniker.conf import settings
from chroniker.models import JobState

P = ParamSpec("P")
R = TypeVar("R")
M = TypeVar("M", bound=Model)

TRIES = 6
# PostgreSQL: serialization_failure, deadlock_detected. MySQL: deadlock, lock wait timeout, record changed since read.
_CODES = {"40001", "40P01", 1213, 1205, 1020}


def _asks_for_another_try(error: OperationalError) -> bool:
    cause = error.__cause__
    code = getattr(cause, "sqlstate", None) or (error.args[0] if error.args else None)
    return code in _CODES or "database is locked" in str(error)


def transactional(step: Callable[P, R]) -> Callable[P, R]:
    """Run ``step`` in one transaction on the deciding database; on a deadlock, repeat it a few times with jitter.

    A violated unique key is repeated too: another process was first, and the repeated step sees its rows. Inside a
    transaction of the caller nothing is repeated: the caller has to repeat the whole transaction.
    """

    @functools.wraps(step)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        using = settings.database
        tries = 1 if connections[using].in_atomic_block else TRIES
        for attempt in range(1, tries + 1):
            try:
                with transaction.atomic(using=using):
                    if tries > 1:
                        _limit_idle_time(connections[using])
                    return step(*args, **kwargs)
            except IntegrityError:
                if attempt == tries:
                    raise
            except OperationalError as error:
                if attempt == tries or not _asks_for_another_try(error):
                    raise
            _pause(attempt)
        raise AssertionError("unreachable")

    return wrapper


def repeated_after_deadlock(step: Callable[P, R]) -> Callable[P, R]:
    """Repeat ``step`` a few times after a deadlock: an upsert that needs no transaction. MariaDB may end one of several
    inserts of the same key so. Inside a transaction of the caller nothing is repeated."""

    @functools.wraps(step)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        tries = 1 if connections[settings.database].in_atomic_block else TRIES
        for attempt in range(1, tries + 1):
            try:
                return step(*args, **kwargs)
            except OperationalError as error:
                if attempt == tries or not _asks_for_another_try(error):
                    raise
            _pause(attempt)
        raise AssertionError("unreachable")

    return wrapper


def _pause(attempt: int) -> None:
    time.sleep(random.uniform(0, 0.02 * 2**attempt))  # nosec B311  # jitter, not a secret


def _limit_idle_time(connection: BaseDatabaseWrapper) -> None:
    """PostgreSQL: limit how long this transaction may be idle. A process that hangs in it would block others.

    The limit ends with the transaction, so that a pooled connection keeps none of our settings. MariaDB has such a
    limit for whole sessions only.
    """
    if connection.vendor == "postgresql":
        limit = f"{settings.lease.total_seconds() * 1000:.0f}"
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('idle_in_transaction_session_timeout', %s, true)", [limit])


@transactional
def wait_for(job_ids: Collection[int]) -> None:
    """Wait until no other transaction holds the states of these jobs: their changes are then committed."""
    list(locked(JobState.objects.filter(pk__in=job_ids), skip=False).values_list("pk", flat=True))


def locked(rows: QuerySet[M], *, skip: bool) -> QuerySet[M]:
    """Lock ``rows`` in the order of their keys. ``skip``: leave out rows that another transaction has locked.

    Where SKIP LOCKED does not exist or is off (``CHRONIKER_SELECT_FOR_UPDATE``), it waits for those rows too. SQLite
    locks no rows: there a writing transaction locks the whole database.
    """
    features = connections[rows.db].features
    return rows.order_by("pk").select_for_update(
        skip_locked=skip and settings.select_for_update and features.has_select_for_update_skip_locked,
        no_key=features.has_select_for_no_key_update,
    )


def send_after_commit(signal: Signal, sender: type, **arguments: Any) -> None:
    """Send a signal at once, or after the commit of the caller's transaction; not at all if that is rolled back."""
    transaction.on_commit(lambda: signal.send_robust(sender, **arguments), using=settings.database)
