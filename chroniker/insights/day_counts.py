"""Closed runs of the last 24 hours, by half hour, from the counts of all jobs. One statement of at most 48 rows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from chroniker.models import START_DELAY_BOUNDS, RunTotal

HALF_HOURS_PER_DAY, HALF_HOUR = 48, dt.timedelta(minutes=30)
BAD_END_COLUMNS = ("failed", "timed_out", "lost")
START_DELAY_COLUMNS = tuple(f"delay_{n}" for n in range(len(START_DELAY_BOUNDS) + 1))


@dataclass(frozen=True, slots=True)
class HalfHourCounts:
    """Runs that were closed in the half hour that begins at ``start``."""

    start: dt.datetime
    succeeded: int = 0
    bad: int = 0


@dataclass(frozen=True, slots=True)
class DayCounts:
    """``delay_p95_seconds``: 95 of 100 runs started within this time; infinite above the last bound."""

    parts: list[HalfHourCounts]
    delay_p95_seconds: float | None = None
    stopped: int = 0
    skipped: int = 0
    succeeded: int = 0
    bad: int = 0

    @property
    def runs(self) -> int:
        """All that ran: succeeded, ended badly or were stopped."""
        return self.succeeded + self.bad + self.stopped


def fetch_day_counts(now: dt.datetime) -> DayCounts:
    """The current half hour and the 47 before it. One statement."""
    last = now.astimezone(dt.UTC).replace(minute=30 if now.minute >= 30 else 0, second=0, microsecond=0)
    starts = [last - n * HALF_HOUR for n in reversed(range(HALF_HOURS_PER_DAY))]
    found = {row.start: row for row in RunTotal.objects.filter(start__gte=starts[0], start__lte=last)}
    rows = [found.get(start) or RunTotal(start=start) for start in starts]
    return DayCounts(
        parts=[HalfHourCounts(row.start, row.succeeded, count_bad_ends(row)) for row in rows],
        delay_p95_seconds=percentile_of_buckets(
            [sum(getattr(row, name) for row in rows) for name in START_DELAY_COLUMNS], 0.95
        ),
        stopped=sum(row.stopped for row in rows),
        skipped=sum(row.skipped for row in rows),
        succeeded=sum(row.succeeded for row in rows),
        bad=sum(map(count_bad_ends, rows)),
    )


def count_bad_ends(row: RunTotal) -> int:
    """Failed, timed out or lost."""
    return sum(getattr(row, name) for name in BAD_END_COLUMNS)


def percentile_of_buckets(counts: Sequence[int], share: float) -> float | None:
    """The delay in seconds that this share of the runs does not exceed. It is interpolated within its bucket."""
    wanted = sum(counts) * share
    if not wanted:
        return None
    below, low = 0, 0.0
    for count, high in zip(counts, (*START_DELAY_BOUNDS, float("inf")), strict=True):
        if count and below + count >= wanted:
            return low + (high - low) * (wanted - below) / count if high != float("inf") else high
        below, low = below + count, high
    return low
