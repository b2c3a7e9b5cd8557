"""The runs that the schedules of jobs let expect. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from heapq import merge

from chroniker.exceptions import ScheduleError
from chroniker.insights.crowding import ExpectedRun, usual_length
from chroniker.models import JobState
from chroniker.schedule import jitter, next_after


@dataclass(frozen=True, slots=True)
class Expectation:
    """The first expected runs of all jobs, in order. ``until``: from then on they are not complete."""

    runs: list[ExpectedRun] = field(default_factory=list)
    until: dt.datetime | None = None  #: None: complete


def expected_starts(state: JobState, high: dt.datetime) -> Iterator[dt.datetime]:
    """From the next run of a job until ``high``; only the next run if its schedule is invalid. Ignores blackouts.

    The state must carry its ``job``.
    """
    delay = jitter(state.pk, state.job.jitter_seconds)
    instant = state.next_instant
    while instant is not None and instant + delay <= high:
        yield instant + delay
        try:
            instant = next_after(state.job.spec, instant)
        except ScheduleError:  # written past the form
            return


def interval_of(state: JobState) -> dt.timedelta | None:
    """The time from the next scheduled time to the one after it; None if there is none."""
    if state.next_instant is None:
        return None
    try:
        following = next_after(state.job.spec, state.next_instant)
    except ScheduleError:
        return None
    return following - state.next_instant if following is not None else None


def expectation(states: Iterable[JobState], high: dt.datetime, most: int) -> Expectation:
    """The ``most`` first expected runs of these jobs until ``high``."""
    runs: list[ExpectedRun] = []
    for run in merge(*(_runs(state, high) for state in states), key=lambda each: (each.start, each.job_id)):
        if len(runs) == most:
            return Expectation(runs, run.start)
        runs.append(run)
    return Expectation(runs)


def _runs(state: JobState, high: dt.datetime) -> Iterator[ExpectedRun]:
    length = usual_length(state.p50)
    return (ExpectedRun(start, state.pk, state.job.name, length) for start in expected_starts(state, high))
