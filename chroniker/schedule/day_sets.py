"""Sets of days as one bit mask per year: bit 0 is 1 January. The next or last day is found by shifting.

dateutil computes the calendar (weeks, n-th weekdays, Easter). Days are numbered as in ``date.toordinal``.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Protocol

from dateutil import rrule
from dateutil.easter import easter

from chroniker.schedule.rrule_params import Numbers, Weekday

MAX_YEAR = dt.MAXYEAR - 2
#: A search ends after so many years. 29 February on a given weekday can be 40 years away.
MAX_SEARCH_YEARS = 100


class DaySet(Protocol):
    def day_mask(self, year: int) -> int: ...


def first_day_from(days: DaySet, ordinal: int, limit: int) -> int | None:
    """The first day of the set at or after ``ordinal``, before ``limit``."""
    while ordinal < limit:
        year = dt.date.fromordinal(ordinal).year
        left = days.day_mask(year) >> (ordinal - ordinal_of_new_year(year))
        if left:
            found = ordinal + (left & -left).bit_length() - 1
            return found if found < limit else None
        ordinal = ordinal_of_new_year(year + 1)
    return None


def last_day_until(days: DaySet, ordinal: int, limit: int) -> int | None:
    """The last day of the set at or before ``ordinal``, not before ``limit``."""
    while ordinal >= limit:
        year = dt.date.fromordinal(ordinal).year
        january = ordinal_of_new_year(year)
        left = days.day_mask(year) & ((2 << (ordinal - january)) - 1)
        if left:
            found = january + left.bit_length() - 1
            return found if found >= limit else None
        ordinal = january - 1
    return None


@lru_cache(maxsize=512)
def ordinal_of_new_year(year: int) -> int:
    return dt.date(year, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class RuleDays:
    """The days that meet all conditions of a recurrence rule. An empty tuple means no condition.

    The n of an n-th weekday counts in the month if ``bymonth`` is given, else in the year.
    """

    bymonth: Numbers = ()
    bymonthday: Numbers = ()
    byyearday: Numbers = ()
    byweekno: Numbers = ()
    byeaster: Numbers = ()
    byweekday: tuple[Weekday, ...] = ()
    wkst: int = 0

    def day_mask(self, year: int) -> int:
        return _compute_day_mask(self, year)


@lru_cache(maxsize=16384)
def _compute_day_mask(days: RuleDays, year: int) -> int:
    january = dt.datetime(year, 1, 1)
    any_day = not (days.bymonthday or days.byyearday or days.byweekno or days.byeaster or days.byweekday)
    if any_day and not days.bymonth:
        return (1 << (ordinal_of_new_year(year + 1) - ordinal_of_new_year(year))) - 1
    counted = tuple(each for each in days.byweekday if each[1])
    if counted and counted != days.byweekday:  # dateutil would find only the days that are of both kinds
        plain = tuple(each for each in days.byweekday if not each[1])
        return replace(days, byweekday=plain).day_mask(year) | replace(days, byweekday=counted).day_mask(year)
    byeaster = _easter_offsets_within(days.byeaster, year)
    if days.byeaster and not byeaster:
        return 0
    # The interval limits the search to this year. Without it, dateutil searches for a day that does not exist until
    # the year 9999, and cannot be interrupted.
    found = rrule.rrule(
        rrule.YEARLY,
        interval=dt.MAXYEAR,
        dtstart=january,
        bymonth=days.bymonth or None,
        bymonthday=range(1, 32) if any_day else days.bymonthday or None,
        byyearday=days.byyearday or None,
        byweekno=days.byweekno or None,
        byeaster=byeaster or None,
        byweekday=[rrule.weekday(day, nth or None) for day, nth in days.byweekday] or None,
        wkst=days.wkst,
        byhour=0,
        byminute=0,
        bysecond=0,
    )
    bits = 0
    for day in found:
        bits |= 1 << (day - january).days
    return bits


def _easter_offsets_within(byeaster: Numbers, year: int) -> Numbers:
    """The offsets whose day is in this year. With other offsets dateutil fails, or returns a wrong day of the year."""
    sunday = easter(year).toordinal()
    return tuple(
        offset for offset in byeaster if ordinal_of_new_year(year) <= sunday + offset < ordinal_of_new_year(year + 1)
    )
