"""Jobs with several scheduled times that are due."""

from __future__ import annotations

import datetime as dt
from typing import Any

from chroniker.clock.database_clock import database_now
from chroniker.models import CatchUp, Job, Run
from tests.support.factories import a_booked_job

MINUTE, DAY = dt.timedelta(minutes=1), dt.timedelta(days=1)
WEEK = 7 * 86_400


def each(minutes: int = 6, **fields: Any) -> Job:
    """A job with a backlog, of which each scheduled time gets a run."""
    values = {"catch_up": CatchUp.EACH, "misfire_grace_seconds": WEEK, "retry_backoff_seconds": 0, **fields}
    return a_booked_job(**{"since": minutes_ago(minutes), **values})


def minutes_ago(minutes: int) -> dt.datetime:
    """Just before that minute began."""
    return database_now().replace(second=0, microsecond=0) - minutes * MINUTE - dt.timedelta(seconds=1)


def ranges(job: Job) -> list[tuple[Any, Any, str, str]]:
    rows = Run.objects.filter(job=job, scheduled_for__isnull=False).order_by("token")
    return [(run.scheduled_for, run.covered_until, run.status, run.code) for run in rows]
