"""Closed runs of the last 24 hours, by hour, from the hourly counts. No statement reads runs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from django.db.models import Sum

from chroniker.models import RunHour
from chroniker.models.run_hour import DELAY_BOUNDS

HOURS = 24
BAD = ("failed", "timed_out", "lost")
_DELAYS = tuple(f"delay_{n}" for n in range(len(DELAY_BOUNDS) + 1))


@dataclass(frozen=True, slots=True)
class Hour:
    """Runs that were closed in the hour that begins at ``start``."""

    start: dt.datetime
    succeeded: int = 0
    bad: int = 0


@dataclass(frozen=True, slots=True)
class DayCounts:
    """``delay_p95``: 95 of 100 runs started within so many seconds; infinite above the last bound."""

    hours: list[Hour]
    delay_p95: float | None = None
    stopped: int = 0
    skipped: int = 0
    succeeded: int = 0
    bad: int = 0

    @property
    def runs(self) -> int:
        """All that ran: succeeded, ended badly or were stopped."""
        return self.succeeded + self.bad + self.stopped


def day_counts(now: dt.datetime, job_ids: Iterable[int] | None = None) -> DayCounts:
    """The current hour and the 23 before it. One statement. ``job_ids``: of these jobs only."""
    last = now.astimezone(dt.UTC).replace(minute=0, second=0, microsecond=0)
    first = last - dt.timedelta(hours=HOURS - 1)
    rows = RunHour.objects.filter(hour__gte=first, hour__lte=last)
    if job_ids is not None:
        rows = rows.filter(job__in=list(job_ids))
    names = ("succeeded", *BAD, "stopped", "skipped", *_DELAYS)
    summed = rows.order_by().values("hour").annotate(**{f"n_{name}": Sum(name) for name in names})
    found: dict[dt.datetime, dict[str, int]] = {
        row.pop("hour"): {name.removeprefix("n_"): number or 0 for name, number in row.items()}
        for row in cast("list[dict[str, Any]]", list(summed))
    }
    nothing = dict.fromkeys(names, 0)
    starts = [first + dt.timedelta(hours=n) for n in range(HOURS)]
    hours = [_hour(start, found.get(start, nothing)) for start in starts]
    total = {name: sum(each[name] for each in found.values()) for name in names}
    return DayCounts(
        hours=hours,
        delay_p95=percentile([total[name] for name in _DELAYS], 0.95),
        stopped=total["stopped"],
        skipped=total["skipped"],
        succeeded=total["succeeded"],
        bad=sum(total[name] for name in BAD),
    )


def _hour(start: dt.datetime, counts: Mapping[str, int]) -> Hour:
    return Hour(start, counts["succeeded"], sum(counts[name] for name in BAD))


def percentile(counts: Sequence[int], share: float) -> float | None:
    """The delay in seconds that this share of the runs does not exceed, by the buckets; interpolated within one."""
    wanted = sum(counts) * share
    if not wanted:
        return None
    below, low = 0, 0.0
    for count, high in zip(counts, (*DELAY_BOUNDS, float("inf")), strict=True):
        if count and below + count >= wanted:
            return low + (high - low) * (wanted - below) / count if high != float("inf") else high
        below, low = below + count, high
    return low
