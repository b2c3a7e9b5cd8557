"""Starts that the schedules give for the next hour. One statement."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from chroniker.exceptions import ScheduleError
from chroniker.models import Job, JobState
from chroniker.schedule import next_instant_after

MINUTES_AHEAD = 60
#: Jobs that are read, the soonest first.
MAX_JOBS_COUNTED = 200
#: A job that runs more often than this is counted, but not listed.
FREQUENT_INTERVAL = dt.timedelta(minutes=5)
MAX_RUNS_LISTED = 9


@dataclass(frozen=True, slots=True)
class NextRun:
    job: Job
    at: dt.datetime


@dataclass(frozen=True, slots=True)
class NextHour:
    """``start_counts_by_minute``: from now on. ``listed_runs``: the first runs of less frequent jobs."""

    start_counts_by_minute: list[int]
    listed_runs: list[NextRun]
    is_cut: bool  #: more than ``MAX_JOBS_COUNTED`` jobs run; the others are not counted

    @property
    def total(self) -> int:
        return sum(self.start_counts_by_minute)

    @property
    def busiest_minute(self) -> int:
        """The index of the minute with the most starts."""
        return max(range(MINUTES_AHEAD), key=self.start_counts_by_minute.__getitem__)


def fetch_next_hour(now: dt.datetime) -> NextHour:
    until = now + dt.timedelta(minutes=MINUTES_AHEAD)
    states = JobState.objects.filter(next_run__gt=now, next_run__lt=until, job__enabled=True)
    states = states.filter(schedule_error="", held_at=None)
    rows = list(states.select_related("job").order_by("next_run")[: MAX_JOBS_COUNTED + 1])
    start_counts, listed = [0] * MINUTES_AHEAD, []
    for state in rows[:MAX_JOBS_COUNTED]:
        starts = list(_starts_before(state, until))
        for at in starts:
            start_counts[min(int((at - now).total_seconds() // 60), MINUTES_AHEAD - 1)] += 1
        if len(starts) < 2 or starts[1] - starts[0] >= FREQUENT_INTERVAL:
            listed += [NextRun(state.job, at) for at in starts]
    listed.sort(key=lambda each: (each.at, each.job.name))
    return NextHour(start_counts, listed[:MAX_RUNS_LISTED], len(rows) > MAX_JOBS_COUNTED)


def _starts_before(state: JobState, until: dt.datetime) -> Iterator[dt.datetime]:
    """The job's starts before ``until``. For a frequent job only two starts are computed, and the
    time between them is repeated."""
    if state.next_run is None or state.next_instant is None:
        return
    shift = state.next_run - state.next_instant  # by the job's jitter
    at: dt.datetime | None = state.next_instant
    following = _next_instant(state.job, state.next_instant)
    step = following - state.next_instant if following is not None else None
    while at is not None and at + shift < until:
        yield at + shift
        at = at + step if step is not None and step < FREQUENT_INTERVAL else _next_instant(state.job, at)


def _next_instant(job: Job, after: dt.datetime) -> dt.datetime | None:
    try:
        return next_instant_after(job.spec, after)
    except ScheduleError:
        return None
