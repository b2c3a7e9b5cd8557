"""Closed times of blackout calendars: once, weekly or yearly. Pure functions of datetimes.

A repeated closed time follows wall-clock time in the job's time zone: 22:00 to 06:00 stays 22:00 to 06:00 when daylight
saving time starts or ends. If one of its ends falls into a skipped or repeated hour, the longer closed time applies.
In a year without 29 February, a time on 29 February means 1 March, 00:00.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from chroniker.schedule.spec import ScheduleSpec
from chroniker.schedule.timeline import latest_instant_until, next_instant_after
from chroniker.schedule.zones import to_wall_time, zone

WEEK = dt.timedelta(days=7)
MICROSECOND = dt.timedelta(microseconds=1)
#: The most closed times that one call skips. A caller that needs more calls the function again.
MAX_SKIPPED_CLOSED_TIMES = 500


@dataclass(frozen=True, slots=True)
class ClosedTime:
    """From ``starts_at`` (included) to ``ends_at`` (excluded). ``repeats`` is "NEVER", "WEEKLY" or "YEARLY"."""

    name: str
    starts_at: dt.datetime
    ends_at: dt.datetime
    repeats: str = "NEVER"


class ClosedSpan(NamedTuple):
    """One occurrence of a closed time, in UTC; or the first and the last of several closed instants."""

    name: str
    start: dt.datetime
    end: dt.datetime


def closed_time_at(times: Iterable[ClosedTime], instant: dt.datetime, timezone: str) -> ClosedSpan | None:
    """The closed time that contains ``instant``; if several do, the one that ends last."""
    found = [
        ClosedSpan(time.name, start, end)
        for time in times
        for start, end in _occurrences_near(time, instant, timezone)
        if start <= instant < end
    ]
    return max(found, key=lambda each: each.end, default=None)


def closed_span_from(
    spec: ScheduleSpec, times: Iterable[ClosedTime], first: dt.datetime, bound: dt.datetime
) -> ClosedSpan | None:
    """The consecutive closed instants from ``first`` on, or None if ``first`` is open.

    It ends before the next open instant, or before a closed time with another name. ``start`` and ``end`` of the
    result are its first and its last instant, not later than ``bound``.
    """
    times = list(times)
    within = closed_time_at(times, first, spec.timezone)
    if within is None:
        return None
    name, last, following = within.name, first, first
    for _each in range(MAX_SKIPPED_CLOSED_TIMES):
        last = latest_instant_until(spec, min(within.end - MICROSECOND, bound)) or last
        further = next_instant_after(spec, last)
        if further is None or further > bound:
            break
        following = further
        at = closed_time_at(times, following, spec.timezone)
        if at is None or at.name != name:
            break
        within = at
    return ClosedSpan(name, first, last)


def last_open_instant(
    spec: ScheduleSpec, times: Iterable[ClosedTime], first: dt.datetime, bound: dt.datetime
) -> dt.datetime:
    """The last open instant that is not later than ``bound``. ``first`` must be an open instant."""
    times = list(times)
    last = latest_instant_until(spec, bound) or first
    for _each in range(MAX_SKIPPED_CLOSED_TIMES):
        within = closed_time_at(times, last, spec.timezone) if last > first else None
        if within is None:
            return max(last, first)
        last = latest_instant_until(spec, within.start - MICROSECOND) or first
    return first


def _occurrences_near(
    time: ClosedTime, instant: dt.datetime, timezone: str
) -> Iterator[tuple[dt.datetime, dt.datetime]]:
    """Occurrences near ``instant``. No occurrence begins before ``starts_at``."""
    if time.repeats == "NEVER":
        yield time.starts_at, time.ends_at
        return
    tz = zone(timezone)
    first_start, first_end, wall_time = (to_wall_time(tz, moment) for moment in (time.starts_at, time.ends_at, instant))
    for start, end in (_weekly_occurrences if time.repeats == "WEEKLY" else _yearly_occurrences)(
        first_start, first_end, wall_time
    ):
        yield min(_utc_candidates(start, tz)), max(_utc_candidates(end, tz))


OccurrenceLimits = Iterator[tuple[dt.datetime, dt.datetime]]


def _weekly_occurrences(first_start: dt.datetime, first_end: dt.datetime, wall_time: dt.datetime) -> OccurrenceLimits:
    nearest = (wall_time - first_start) // WEEK
    # One week more on each side: a clock change can move an occurrence.
    for weeks in range(max(0, nearest - 1), nearest + 2):
        yield first_start + weeks * WEEK, first_end + weeks * WEEK


def _yearly_occurrences(first_start: dt.datetime, first_end: dt.datetime, wall_time: dt.datetime) -> OccurrenceLimits:
    span = first_end.year - first_start.year
    for year in range(max(first_start.year, wall_time.year - span - 1), wall_time.year + 2):
        start, end = _move_to_year(first_start, year), _move_to_year(first_end, year + span)
        if start < end:
            yield start, end


def _move_to_year(wall_time: dt.datetime, year: int) -> dt.datetime:
    try:
        return wall_time.replace(year=year)
    except ValueError:  # 29 February does not exist in this year
        return dt.datetime(year, 3, 1)


def _utc_candidates(wall_time: dt.datetime, tz: dt.tzinfo) -> list[dt.datetime]:
    """Both UTC times of a wall-clock time. They differ only in a skipped or repeated hour."""
    return [wall_time.replace(tzinfo=tz, fold=fold).astimezone(dt.UTC) for fold in (0, 1)]
