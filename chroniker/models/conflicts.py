"""Repeat a step that the database refused because of a conflict with another transaction."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from django.db import IntegrityError, OperationalError, connections

from chroniker.conf import settings
from chroniker.process.kernel import host_clock

P = ParamSpec("P")
R = TypeVar("R")

MAX_CONFLICT_TRIES = 6
# PostgreSQL: serialization_failure, deadlock_detected. MySQL: deadlock, lock wait timeout, record changed since read.
_CONFLICT_CODES = {"40001", "40P01", 1213, 1205, 1020}


def _is_conflict(error: OperationalError) -> bool:
    cause = error.__cause__
    code = getattr(cause, "sqlstate", None) or (error.args[0] if error.args else None)
    return code in _CONFLICT_CODES or "database is locked" in str(error)


def retry_after_conflict(step: Callable[P, R]) -> Callable[P, R]:
    """Repeat ``step`` a few times, with jitter, after a deadlock, a serialization failure or a violated unique key:
    another process was first, and the repeated step sees its rows.

    For a step of one statement, such as an upsert: MariaDB may end one of several inserts of the same key with a
    deadlock. Inside a transaction of the caller nothing is repeated: the caller has to repeat the whole transaction.
    """

    @functools.wraps(step)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        tries = 1 if connections[settings.database].in_atomic_block else MAX_CONFLICT_TRIES
        for attempt in range(1, tries + 1):
            try:
                return step(*args, **kwargs)
            except IntegrityError:
                if attempt == tries:
                    raise
            except OperationalError as error:
                if attempt == tries or not _is_conflict(error):
                    raise
            host_clock.sleep(random.uniform(0, 0.02 * 2**attempt))  # nosec B311  # jitter, not a secret
        raise AssertionError("unreachable")

    return wrapper
