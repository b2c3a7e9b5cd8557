"""The runs that the schedules of jobs let expect. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from heapq import merge
from itertools import count, islice

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
    spec, delay = state.job.spec, jitter(state.pk, state.job.jitter_seconds)
    instant = state.next_instant
    while instant is not None and instant + delay <= high:
        yield instant + delay
        try:
            instant = next_after(spec, instant)
        except ScheduleError:  # written past the form
            return


class Starts:
    """The expected starts of jobs until ``high``. Each is computed once, however often it is read."""

    def __init__(self, high: dt.datetime) -> None:
        self.high = high
        self._found: dict[int, tuple[list[dt.datetime], Iterator[dt.datetime]]] = {}

    def of(self, state: JobState) -> Iterator[dt.datetime]:
        known, rest = self._found.setdefault(state.pk, ([], expected_starts(state, self.high)))
        for number in count():
            if number == len(known):
                known += islice(rest, 1)
            if number == len(known):
                return
            yield known[number]

    def interval(self, state: JobState) -> dt.timedelta | None:
        """The time between the first two; None if there is only one."""
        first = list(islice(self.of(state), 2))
        return first[1] - first[0] if len(first) > 1 else None


def expectation(states: Iterable[JobState], starts: Starts, most: int) -> Expectation:
    """The ``most`` first expected runs of these jobs."""
    runs: list[ExpectedRun] = []
    for run in merge(*(_runs(state, starts) for state in states), key=lambda each: (each.start, each.job_id)):
        if len(runs) == most:
            return Expectation(runs, run.start)
        runs.append(run)
    return Expectation(runs)


def _runs(state: JobState, starts: Starts) -> Iterator[ExpectedRun]:
    length = usual_length(state.p50)
    return (ExpectedRun(start, state.pk, state.job.name, length) for start in starts.of(state))
