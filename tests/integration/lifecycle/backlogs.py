"""Jobs with several scheduled times that are due."""

from __future__ import annotations

from typing import Any

from chroniker.models import CatchUp, Job, Run
from tests.support.factories import a_booked_job, minutes_ago

WEEK = 7 * 86_400


def each(minutes: int = 6, **fields: Any) -> Job:
    """A job with a backlog, of which each scheduled time gets a run."""
    values = {"catch_up": CatchUp.EACH, "misfire_grace_seconds": WEEK, "retry_backoff_seconds": 0, **fields}
    return a_booked_job(**{"since": minutes_ago(minutes), **values})


def ranges(job: Job) -> list[tuple[Any, Any, str, str]]:
    rows = Run.objects.filter(job=job, scheduled_for__isnull=False).order_by("token")
    return [(run.scheduled_for, run.covered_until, run.status, run.code) for run in rows]
