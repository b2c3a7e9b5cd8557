"""Time zones as stretches of constant UTC offset.

``zoneinfo`` does not list the transitions of a zone. They are found by comparing the offsets of consecutive days and
bisecting, once per zone and year. In this package a datetime without tzinfo is either UTC (named ``moment``, ``start``,
``end``) or wall-clock time (``wall``, ``low``, ``high``). Arithmetic on naive datetimes is exact, while Python's
arithmetic on aware datetimes ignores changes of the offset.
"""

from __future__ import annotations

import datetime as dt
import importlib
import zoneinfo
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from chroniker.exceptions import ScheduleError
from chroniker.schedule.zone_suggestions import HOST_DEPENDENT, unknown_zone_message

DAY = dt.timedelta(days=1)
SECOND = dt.timedelta(seconds=1)


class Stretch(NamedTuple):
    """A span of UTC with a constant offset, from ``start`` (included) to ``end`` (excluded)."""

    start: dt.datetime
    end: dt.datetime
    offset: dt.timedelta
    before: dt.timedelta
    "The offset just before ``start``. It equals ``offset`` if ``start`` is only the beginning of a year."
    after: dt.timedelta
    "The offset from ``end`` on."


# ZoneInfo keeps strong references to eight zones only, and reading a ninth from disk is slow.
@lru_cache(maxsize=1024)
def zone(name: str) -> zoneinfo.ZoneInfo:
    """The zone with this name. Raises ``ScheduleError`` with a suggestion if it does not exist."""
    try:
        if name and name not in HOST_DEPENDENT:
            return zoneinfo.ZoneInfo(name)
    # The exception depends on how the name fails as a path: not found, a directory, too long, outside, not text.
    except (LookupError, ValueError, OSError, TypeError, AttributeError):
        pass
    raise ScheduleError("timezone", unknown_zone_message(name))


def offset_at(tz: dt.tzinfo, moment: dt.datetime) -> dt.timedelta:
    offset = moment.replace(tzinfo=dt.UTC).astimezone(tz).utcoffset()
    assert offset is not None  # every zone of ZoneInfo has one
    return offset


def to_wall(tz: dt.tzinfo, moment: dt.datetime) -> dt.datetime:
    """What a clock on a wall of this zone shows at this moment, which is aware."""
    return moment.astimezone(tz).replace(tzinfo=None, fold=0)


@lru_cache(maxsize=4096)
def stretches(tz: zoneinfo.ZoneInfo, year: int) -> tuple[Stretch, ...]:
    """The stretches of this UTC year, in order.

    A change that is reversed within a day is not found. The time zone database has none since 1970.
    """
    first, last = dt.datetime(year, 1, 1), dt.datetime(year + 1, 1, 1)
    edges = [first, *_offset_changes(tz, first, last), last]
    offsets = [offset_at(tz, first - SECOND), *(offset_at(tz, edge) for edge in edges)]
    return tuple(
        Stretch(edges[n], edges[n + 1], offsets[n + 1], offsets[n], offsets[n + 2]) for n in range(len(edges) - 1)
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
    """Like "2025b"; empty where it cannot be found out. Versions compare as text.

    That of the system's files, or else of the package ``tzdata``, in the order in which ``zoneinfo`` looks for zones.
    Read once: a process keeps the rules that it started with.
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
