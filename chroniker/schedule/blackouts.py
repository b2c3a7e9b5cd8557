"""Closed times, once or again every week or year. Pure: text and datetimes in, datetimes out.

A repetition is one of the clock on the wall in the zone of the job that asks: 22:00 to 06:00 stays that through both
changes of the clock. In a night of such a change a closed time is rather longer than shorter. Of a year without the
29th of February a moment on that day means the midnight in which it is missing.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from chroniker.schedule.spec import Spec
from chroniker.schedule.timeline import latest_until, next_after
from chroniker.schedule.zones import zone

WEEK = dt.timedelta(days=7)
TICK = dt.timedelta(microseconds=1)
#: Closed times that one question passes over. Whoever gets an answer cut short by it asks again.
MOST_PASSED = 500


@dataclass(frozen=True, slots=True)
class ClosedTime:
    """From ``starts_at`` up to, and without, ``ends_at``; ``repeats`` is "NEVER", "WEEKLY" or "YEARLY"."""

    name: str
    starts_at: dt.datetime
    ends_at: dt.datetime
    repeats: str = "NEVER"


class Closed(NamedTuple):
    """One occurrence, in UTC."""

    name: str
    start: dt.datetime
    end: dt.datetime


def closed_at(times: Iterable[ClosedTime], instant: dt.datetime, timezone: str) -> Closed | None:
    """The closed time that ``instant`` lies in; of several the one that ends last."""
    found = [
        Closed(time.name, start, end)
        for time in times
        for start, end in _occurrences(time, instant, timezone)
        if start <= instant < end
    ]
    return max(found, key=lambda each: each.end, default=None)


def closed_until(spec: Spec, times: Iterable[ClosedTime], first: dt.datetime, bound: dt.datetime) -> Closed | None:
    """The closed time that the instant ``first`` lies in, and all that follow with the same name without an open
    instant between. ``start`` and ``end`` are the first and the last instant in them, none later than ``bound``."""
    times = list(times)
    within = closed_at(times, first, spec.timezone)
    if within is None:
        return None
    name, last, following = within.name, first, first
    for _each in range(MOST_PASSED):
        last = latest_until(spec, min(within.end - TICK, bound)) or last
        further = next_after(spec, last)
        if further is None or further > bound:
            break
        following = further
        at = closed_at(times, following, spec.timezone)
        if at is None or at.name != name:
            break
        within = at
    return Closed(name, first, last)


def last_open(spec: Spec, times: Iterable[ClosedTime], first: dt.datetime, bound: dt.datetime) -> dt.datetime:
    """The last instant until ``bound`` that is not closed; ``first`` must be one."""
    times = list(times)
    last = latest_until(spec, bound) or first
    for _each in range(MOST_PASSED):
        within = closed_at(times, last, spec.timezone) if last > first else None
        if within is None:
            return max(last, first)
        last = latest_until(spec, within.start - TICK) or first
    return first


def _occurrences(time: ClosedTime, instant: dt.datetime, timezone: str) -> Iterator[tuple[dt.datetime, dt.datetime]]:
    """Those that may hold ``instant``; none before the first."""
    if time.repeats == "NEVER":
        yield time.starts_at, time.ends_at
        return
    where = zone(timezone)
    low, high, wall = (_wall(moment, where) for moment in (time.starts_at, time.ends_at, instant))
    for start, end in (_weekly if time.repeats == "WEEKLY" else _yearly)(low, high, wall):
        yield min(_moments(start, where)), max(_moments(end, where))


Pairs = Iterator[tuple[dt.datetime, dt.datetime]]


def _weekly(low: dt.datetime, high: dt.datetime, wall: dt.datetime) -> Pairs:
    nearest = (wall - low) // WEEK
    for weeks in range(max(0, nearest - 1), nearest + 2):  # one more: the clock may be put back in between
        yield low + weeks * WEEK, high + weeks * WEEK


def _yearly(low: dt.datetime, high: dt.datetime, wall: dt.datetime) -> Pairs:
    span = high.year - low.year
    for year in range(max(low.year, wall.year - span - 1), wall.year + 2):
        start, end = _in_year(low, year), _in_year(high, year + span)
        if start < end:
            yield start, end


def _in_year(wall: dt.datetime, year: int) -> dt.datetime:
    try:
        return wall.replace(year=year)
    except ValueError:  # there is no 29th of February
        return dt.datetime(year, 3, 1)


def _wall(moment: dt.datetime, where: dt.tzinfo) -> dt.datetime:
    return moment.astimezone(where).replace(tzinfo=None, fold=0)


def _moments(wall: dt.datetime, where: dt.tzinfo) -> list[dt.datetime]:
    """What the clock on the wall may mean: two moments where it is put forward or back."""
    return [wall.replace(tzinfo=where, fold=fold).astimezone(dt.UTC) for fold in (0, 1)]
