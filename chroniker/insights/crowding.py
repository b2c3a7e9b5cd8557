"""Collisions: times at which more runs are expected than there are slots, or than the limit of a group allows. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from typing import NamedTuple

_MINUTE = dt.timedelta(minutes=1)


def assumed_duration(median_seconds: float | None) -> dt.timedelta:
    """The result of ``assumed_seconds`` as a timedelta."""
    return dt.timedelta(seconds=assumed_seconds(median_seconds))


def assumed_seconds(median_seconds: float | None) -> float:
    """The duration of an expected run: ``median_seconds``. Before the first success it is one second, so that the run
    needs a slot."""
    return 1.0 if median_seconds is None else median_seconds


class ExpectedRun(NamedTuple):  # a picture has thousands, and a frozen dataclass is three times slower
    """A run that is expected to start at ``start`` and to take ``length``."""

    start: dt.datetime
    job_id: int
    name: str
    length: dt.timedelta

    @property
    def end(self) -> dt.datetime:
        return self.start + self.length


@dataclass(slots=True)
class Collision:
    """Too few slots from ``start`` (a whole minute) to ``end``, when the last waiting run starts."""

    start: dt.datetime
    end: dt.datetime
    capacity: int
    names: list[str] = field(default_factory=list)  #: the jobs that start
    still_running: list[str] = field(default_factory=list)  #: the jobs that hold a slot when it begins
    longest_wait: dt.timedelta = dt.timedelta()

    @property
    def affected_job_count(self) -> int:
        return len(self.names) + len(self.still_running)


def find_collisions(
    expected_runs: Iterable[ExpectedRun], capacity: int, running: Iterable[tuple[dt.datetime, str]] = ()
) -> list[Collision]:
    """The collisions of these runs, if at most ``capacity`` of them run at once, the earliest start first.

    ``running``: the expected end and the name of each run that holds a slot now. A collision begins with the minute
    in which a run has to wait, and ends when no run waits any more. A second collision in the same minute is part of
    the first. A capacity of 0 gives no collision: then no run ever starts, which is a different problem.
    """
    if capacity <= 0:
        return []
    slots = [(end, name) for end, name in running]
    heapify(slots)
    found: list[Collision] = []
    minute: list[ExpectedRun] = []  # the runs that start within the minute of the latest one
    begun: dt.datetime | None = None
    for run in sorted(expected_runs, key=lambda each: (each.start, each.job_id)):
        this_minute = run.start.replace(second=0, microsecond=0)
        if begun != this_minute:
            minute, begun = [], this_minute
        while slots and slots[0][0] <= run.start:
            heappop(slots)
        begin = run.start
        if len(slots) >= capacity:
            busy = [name for _end, name in slots]
            while len(slots) >= capacity:
                begin = heappop(slots)[0]
            if not found or this_minute > found[-1].end:
                found.append(_new_collision(this_minute, begin, capacity, busy, [each.name for each in minute]))
            _add_waiting_run(found[-1], run, begin)
        minute.append(run)
        heappush(slots, (begin + run.length, run.name))
    return found


def _new_collision(
    start: dt.datetime, end: dt.datetime, capacity: int, busy: Sequence[str], names: list[str]
) -> Collision:
    """``busy``: the jobs that hold a slot; ``names``: the jobs among them that started within the first minute."""
    still = list(busy)
    for name in names:
        if name in still:
            still.remove(name)
    return Collision(start, end, capacity, names, still)


def _add_waiting_run(collision: Collision, run: ExpectedRun, starts_at: dt.datetime) -> None:
    """Add a run that waits until ``starts_at``."""
    collision.names.append(run.name)
    collision.end = max(collision.end, starts_at)
    collision.longest_wait = max(collision.longest_wait, starts_at - run.start)
