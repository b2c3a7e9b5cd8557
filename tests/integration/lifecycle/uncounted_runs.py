"""Runs that have ended and are not counted yet."""

from __future__ import annotations

import datetime as dt
from typing import Any

from chroniker.clock.database_clock import database_now
from chroniker.models import Job, Run, Status, Trigger

SECOND = dt.timedelta(seconds=1)


def closed_runs(job: Job, count: int, **fields: Any) -> list[Run]:
    """Runs that ended and are not counted yet."""
    now = database_now()
    values = {
        "status": Status.SUCCEEDED,
        "trigger": Trigger.MANUAL,
        "claimed_at": now - 10 * SECOND,
        "started_at": now - 9 * SECOND,
        "finished_at": now,
        "uncounted_since": now,
        **fields,
    }
    first = Run.objects.filter(job=job).count() + 1
    return Run.objects.bulk_create(Run(job=job, token=first + n, **values) for n in range(count))
