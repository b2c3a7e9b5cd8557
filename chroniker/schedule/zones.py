"""Time zones as stretches of constant offset, which is all that the arithmetic of schedules needs to know.

``zoneinfo`` does not tell where a zone's transitions are, so they are found by asking for its offset day by day and
bisecting, once per zone and year. Inside this package a datetime without tzinfo is either UTC (named ``moment``,
``start``, ``end``) or what a clock on the wall shows (``wall``, ``low``, ``high``): plain arithmetic on those is exact,
while Python's arithmetic on aware datetimes ignores the offset.
"""

from __future__ import annotations

import datetime as dt
import difflib
import zoneinfo
from functools import lru_cache
from typing import NamedTuple

from django.utils.translation import gettext as _

from chroniker.escaping import shortened
from chroniker.exceptions import ScheduleError

DAY = dt.timedelta(days=1)
SECOND = dt.timedelta(seconds=1)

#: Names that ZoneInfo opens but that mean something else on each host.
HOST_DEPENDENT = {"localtime", "posixrules", "Factory"}


class Stretch(NamedTuple):
    """A span of UTC, ``start`` included and ``end`` not, in which the zone's offset stays the same."""

    start: dt.datetime
    end: dt.datetime
    offset: dt.timedelta
    before: dt.timedelta
    "The offset just before ``start``: another one at a transition, the same where a year begins."
    after: dt.timedelta
    "The offset from ``end`` on."


# ZoneInfo keeps strong references to eight zones only; reading a ninth from disk costs more than all the rest.
@lru_cache(maxsize=1024)
def zone(name: str) -> zoneinfo.ZoneInfo:
    """The zone of this name, or a ``ScheduleError`` that suggests one that exists."""
    try:
        if name and name not in HOST_DEPENDENT:
            return zoneinfo.ZoneInfo(name)
    # What ZoneInfo raises depends on how the name fails as a path: not found, a directory, too long, outside, not text.
    except (LookupError, ValueError, OSError, TypeError, AttributeError):
        pass
    raise ScheduleError("timezone", _unknown(name))


def _unknown(name: str) -> str:
    known = _known()
    near = difflib.get_close_matches(str(name)[:64].lower(), known, n=1)
    example = known[near[0]] if near else "Europe/Paris"
    return _("There is no time zone “%(name)s”; write it like “%(example)s”.") % {
        "name": shortened(str(name)),
        "example": example,
    }


@lru_cache(maxsize=1)
def _known() -> dict[str, str]:
    """By their names in lower case. Listing them walks through the database's directories."""
    return {name.lower(): name for name in zoneinfo.available_timezones()}


def offset_at(where: dt.tzinfo, moment: dt.datetime) -> dt.timedelta:
    offset = moment.replace(tzinfo=dt.UTC).astimezone(where).utcoffset()
    assert offset is not None  # every zone of ZoneInfo has one
    return offset


def to_wall(where: dt.tzinfo, moment: dt.datetime) -> dt.datetime:
    return moment.replace(tzinfo=dt.UTC).astimezone(where).replace(tzinfo=None, fold=0)


@lru_cache(maxsize=4096)
def stretches(where: zoneinfo.ZoneInfo, year: int) -> tuple[Stretch, ...]:
    """The stretches that make up this year of UTC, in order.

    A change of offset that is taken back within a day would go unseen. The database has none since 1970.
    """
    first, last = dt.datetime(year, 1, 1), dt.datetime(year + 1, 1, 1)
    edges = [first, *_changes(where, first, last), last]
    offsets = [offset_at(where, first - SECOND), *(offset_at(where, edge) for edge in edges)]
    return tuple(
        Stretch(edges[n], edges[n + 1], offsets[n + 1], offsets[n], offsets[n + 2]) for n in range(len(edges) - 1)
    )


def _changes(where: dt.tzinfo, first: dt.datetime, last: dt.datetime) -> list[dt.datetime]:
    found, day, offset = [], first, offset_at(where, first)
    while day < last:
        following = min(day + DAY, last)
        if (new := offset_at(where, following)) != offset:
            found.append(_change_between(where, day, following))
        day, offset = following, new
    return [change for change in found if change < last]


def _change_between(where: dt.tzinfo, low: dt.datetime, high: dt.datetime) -> dt.datetime:
    """The first second in (low, high] that has the offset of ``high``."""
    offset = offset_at(where, high)
    while high - low > SECOND:
        middle = low + dt.timedelta(seconds=(high - low) // SECOND // 2)
        if offset_at(where, middle) == offset:
            high = middle
        else:
            low = middle
    return high
