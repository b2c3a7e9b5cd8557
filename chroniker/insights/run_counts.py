"""How often the runs of a job succeeded, and how late they started: sums of the hourly counts. Read-only."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.db.models import Sum

from chroniker.models import START_DELAY_BOUNDS, RunHour

RESULT_COLUMNS = ("succeeded", "failed", "timed_out", "stopped", "lost", "skipped")
START_DELAY_COLUMNS = tuple(f"delay_{number}" for number in range(len(START_DELAY_BOUNDS) + 1))


@dataclass(frozen=True, slots=True)
class RunCounts:
    """``delay_p95_seconds``: 95 of 100 starts were not later than this; infinite above the largest bound."""

    succeeded: int
    bad: int  #: failed, timed out or lost
    skipped: int
    delay_p95_seconds: float | None

    @property
    def finished(self) -> int:
        return self.succeeded + self.bad


def fetch_run_counts(job_id: int, now: dt.datetime, days: int) -> RunCounts:
    """The runs of the last ``days`` days. One statement."""
    rows = RunHour.objects.filter(job=job_id, hour__gt=now - dt.timedelta(days=days))
    found = rows.aggregate(**{name: Sum(name) for name in (*RESULT_COLUMNS, *START_DELAY_COLUMNS)})
    values = {name: int(value or 0) for name, value in found.items()}
    delays = [values[name] for name in START_DELAY_COLUMNS]
    bad = values["failed"] + values["timed_out"] + values["lost"]
    return RunCounts(values["succeeded"], bad, values["skipped"], _delay_p95(delays))


def _delay_p95(bucket_counts: list[int]) -> float | None:
    """The upper bound of the bucket that contains the 95th percentile of the start delays."""
    wanted, seen = sum(bucket_counts) * 0.95, 0
    if not wanted:
        return None
    for bound, number in zip((*START_DELAY_BOUNDS, float("inf")), bucket_counts, strict=True):
        seen += number
        if seen >= wanted:
            return bound
    return None
