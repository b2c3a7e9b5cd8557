"""What becomes of a job's scheduled times when its runs take longer than the time between two of them. Pure."""

from __future__ import annotations

import datetime as dt
import itertools
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from chroniker.models import CatchUp, Overlap


@dataclass(frozen=True, slots=True)
class OverlapForecast:
    """Every scheduled time gets a run of its own, perhaps late, is merged into a later run, or is skipped."""

    run_count: int = 0
    merged: int = 0
    skipped: int = 0
    stopped: int = 0  #: runs that the next run replaces
    late_count: int = 0  #: scheduled times that wait for a run of an earlier one, and then have a run of their own

    @property
    def affected(self) -> int:
        return self.merged + self.skipped + self.stopped + self.late_count


def forecast_overlaps(
    starts: Sequence[dt.datetime], run_duration: dt.timedelta, policy: str, catch_up: str = CatchUp.COALESCE
) -> OverlapForecast:
    """For a job whose runs all take ``run_duration``, with a tick at every moment and nothing else that delays a run.

    ``starts``: its start times, in order. A run that ends at the moment of the next start does not overlap it.
    """
    if policy == Overlap.REPLACE:
        later = (high - low < run_duration for low, high in itertools.pairwise(starts))
        return OverlapForecast(run_count=len(starts), stopped=sum(later))
    if policy == Overlap.SKIP:
        return _forecast_with_skipping(starts, run_duration)
    if catch_up == CatchUp.EACH:
        return _forecast_with_queueing(starts, run_duration)
    found = _forecast_with_merging(starts, run_duration)
    return OverlapForecast(run_count=found.run_count, skipped=found.merged) if catch_up == CatchUp.LATEST else found


def _forecast_with_queueing(starts: Sequence[dt.datetime], run_duration: dt.timedelta) -> OverlapForecast:
    """Each has a run of its own, in order. A misfire grace, which may skip some of a long queue, is not considered."""
    late_count, free = 0, starts[0] if starts else None
    for start in starts:
        assert free is not None
        late_count += free > start
        free = max(start, free) + run_duration
    return OverlapForecast(run_count=len(starts), late_count=late_count)


def _forecast_with_skipping(starts: Sequence[dt.datetime], run_duration: dt.timedelta) -> OverlapForecast:
    run_count = skipped = position = 0
    while position < len(starts):
        run_count += 1
        following = max(bisect_left(starts, starts[position] + run_duration), position + 1)
        skipped += following - position - 1
        position = following
    return OverlapForecast(run_count=run_count, skipped=skipped)


def _forecast_with_merging(starts: Sequence[dt.datetime], run_duration: dt.timedelta) -> OverlapForecast:
    """A run starts when the one before has ended, and covers all times that have come until then."""
    run_count = merged = position = 0
    free = starts[0] if starts else None
    while free is not None and position < len(starts):
        begin = max(starts[position], free)
        following = bisect_right(starts, begin)
        run_count += 1
        merged += following - position - 1
        free, position = begin + run_duration, following
    return OverlapForecast(run_count=run_count, merged=merged)
