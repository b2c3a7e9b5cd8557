"""Time zones as periods of constant UTC offset.

``zoneinfo`` does not list the offset changes of a zone. This module compares the offsets of consecutive days and finds
each change by bisection, once for each zone and year. In this package a datetime without tzinfo is either UTC (named
``moment``, ``start``, ``end``) or wall-clock time (``wall_time``, ``low``, ``high``). Arithmetic on naive datetimes is
exact, while Python's arithmetic on aware datetimes ignores changes of the offset.
"""

from __future__ import annotations

import datetime as dt
import importlib
import zoneinfo
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from chroniker.exceptions import ScheduleError
from chroniker.schedule.zone_suggestions import HOST_DEPENDENT_ZONE_NAMES, unknown_zone_message

DAY = dt.timedelta(days=1)
SECOND = dt.timedelta(seconds=1)


class OffsetPeriod(NamedTuple):
    """A span of UTC with a constant offset, from ``start`` (included) to ``end`` (excluded)."""

    start: dt.datetime
    end: dt.datetime
    offset: dt.timedelta
    offset_before: dt.timedelta
    "The offset just before ``start``. It equals ``offset`` if ``start`` is only the beginning of a year."
    offset_after: dt.timedelta
    "The offset from ``end`` on."


# ZoneInfo keeps strong references to eight zones only, and reading a ninth from disk is slow.
@lru_cache(maxsize=1024)
def zone(name: str) -> zoneinfo.ZoneInfo:
    """The zone with this name. Raises ``ScheduleError`` with a suggestion if it does not exist."""
    try:
        if name and name not in HOST_DEPENDENT_ZONE_NAMES:
            return zoneinfo.ZoneInfo(name)
    # ZoneInfo uses the name as a path. The exception depends on its fault: not found, a directory, too long, …
    except (LookupError, ValueError, OSError, TypeError, AttributeError):
        pass
    raise ScheduleError("timezone", unknown_zone_message(name))


def offset_at(tz: dt.tzinfo, moment: dt.datetime) -> dt.timedelta:
    offset = moment.replace(tzinfo=dt.UTC).astimezone(tz).utcoffset()
    assert offset is not None  # every zone of ZoneInfo has one
    return offset


def to_wall_time(tz: dt.tzinfo, moment: dt.datetime) -> dt.datetime:
    """The wall-clock time in this zone at this moment. ``moment`` must have a time zone."""
    return moment.astimezone(tz).replace(tzinfo=None, fold=0)


@lru_cache(maxsize=4096)
def offset_periods(tz: zoneinfo.ZoneInfo, year: int) -> tuple[OffsetPeriod, ...]:
    """The periods of constant offset in this UTC year, in order.

    A change that is reversed within a day is not found. The time zone database has no such change since 1970.
    """
    first, last = dt.datetime(year, 1, 1), dt.datetime(year + 1, 1, 1)
    edges = [first, *_offset_changes(tz, first, last), last]
    offsets = [offset_at(tz, first - SECOND), *(offset_at(tz, edge) for edge in edges)]
    return tuple(
        OffsetPeriod(edges[n], edges[n + 1], offsets[n + 1], offsets[n], offsets[n + 2]) for n in range(len(edges) - 1)
    )


def _offset_changes(tz: dt.tzinfo, first: dt.datetime, last: dt.datetime) -> list[dt.datetime]:
    found, day, offset = [], first, offset_at(tz, first)
    while day < last:
        following = min(day + DAY, last)
        if (new := offset_at(tz, following)) != offset:
            found.append(_find_offset_change(tz, day, following))
        day, offset = following, new
    return [change for change in found if change < last]


def _find_offset_change(tz: dt.tzinfo, low: dt.datetime, high: dt.datetime) -> dt.datetime:
    """The first second in (low, high] with the offset of ``high``."""
    offset = offset_at(tz, high)
    while high - low > SECOND:
        middle = low + dt.timedelta(seconds=(high - low) // SECOND // 2)
        if offset_at(tz, middle) == offset:
            high = middle
        else:
            low = middle
    return high


@lru_cache(maxsize=1)
def zone_rules_version() -> str:
    """The version of the time zone rules, such as "2025b"; empty if it is unknown. Versions can be compared as text.

    It is the version of the system's files, or else of the package ``tzdata``. ``zoneinfo`` looks for zones in the same
    order. It is read once: a process keeps the rules that it started with.
    """
    for folder in zoneinfo.TZPATH:
        try:
            with (Path(folder) / "tzdata.zi").open(encoding="utf-8") as file:
                return file.readline().removeprefix("# version").strip()[:16]
        except OSError:
            continue
    try:
        return str(importlib.import_module("tzdata").IANA_VERSION)[:16]
    except (ImportError, AttributeError):
        return ""
