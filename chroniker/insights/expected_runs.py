"""The runs that are expected by the schedules of jobs. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from heapq import merge
from itertools import islice, repeat

from chroniker.exceptions import ScheduleError
from chroniker.insights.crowding import ExpectedRun, assumed_duration
from chroniker.models import JobState
from chroniker.schedule import ScheduleSpec, jitter, next_instant_after


@dataclass(frozen=True, slots=True)
class ExpectedRuns:
    """The first expected runs of all jobs, in order. ``until``: from this time on, runs are missing."""

    runs: list[ExpectedRun] = field(default_factory=list)
    until: dt.datetime | None = None  #: None: complete


def expected_starts(
    state: JobState,
    until: dt.datetime,
    next_instant: Callable[[ScheduleSpec, dt.datetime], dt.datetime | None] = next_instant_after,
) -> Iterator[dt.datetime]:
    """The starts of a job from its next run on; only the next run if the schedule is invalid. Ignores blackouts.

    The state must carry its ``job``. ``next_instant``: ``next_instant_after``, or a cached form of it.
    """
    job = state.job
    spec, delay = job.spec, jitter(job.pk, job.jitter_seconds)
    instant = state.next_instant
    while instant is not None and instant + delay <= until:
        yield instant + delay
        try:
            instant = next_instant(spec, instant)
        except ScheduleError:  # stored without the form's validation
            return


class ExpectedStarts:
    """The expected starts of jobs up to ``until``. Each is computed once, however often it is read, and however many
    jobs have the same schedule."""

    def __init__(self, until: dt.datetime) -> None:
        self.until = until
        self._found: dict[int, tuple[list[dt.datetime], Iterator[dt.datetime]]] = {}
        self._following = lru_cache(maxsize=None)(next_instant_after)

    def starts_of_job(self, state: JobState) -> Iterator[dt.datetime]:
        known, rest = self._known_and_further_starts(state)
        yield from known
        for start in rest:
            known.append(start)
            yield start

    def first_starts(self, state: JobState, limit: int) -> list[dt.datetime]:
        known, rest = self._known_and_further_starts(state)
        known += islice(rest, max(limit - len(known), 0))
        return known[:limit]

    def interval_between_starts(self, state: JobState) -> dt.timedelta | None:
        """The time between the first two; None if there is only one."""
        first = self.first_starts(state, 2)
        return first[1] - first[0] if len(first) > 1 else None

    def _known_and_further_starts(self, state: JobState) -> tuple[list[dt.datetime], Iterator[dt.datetime]]:
        """The starts that are known, and those that are not computed yet."""
        job_id = state.job_id
        if job_id not in self._found:
            self._found[job_id] = [], expected_starts(state, self.until, self._following)
        return self._found[job_id]


def first_expected_runs(states: Collection[JobState], starts: ExpectedStarts, limit: int) -> ExpectedRuns:
    """The ``limit`` first expected runs of these jobs."""
    jobs = {state.job_id: (state.job_id, state.job.name, assumed_duration(state.p50)) for state in states}
    runs: list[ExpectedRun] = []
    for start, pk in merge(*(zip(starts.starts_of_job(state), repeat(state.job_id)) for state in states)):
        if len(runs) == limit:
            return ExpectedRuns(runs, start)
        runs.append(ExpectedRun(start, *jobs[pk]))
    return ExpectedRuns(runs)
