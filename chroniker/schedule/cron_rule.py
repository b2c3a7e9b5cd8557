"""Cron expressions as rules in wall-clock time.

croniter expands the fields of an expression; this module searches them for the next time. croniter's own search is five
times slower. It keeps its position in the object, so threads cannot share the object. With ``#`` and ``W`` it requires
that both day fields match, while crontab(5) requires one. Tests compare both implementations.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left, bisect_right
from calendar import monthrange
from dataclasses import dataclass
from functools import lru_cache

from croniter import croniter
from django.utils.translation import gettext as _

from chroniker.exceptions import ScheduleError
from chroniker.schedule import cron_parser
from chroniker.schedule.day_sets import (
    MAX_SEARCH_YEARS,
    MAX_YEAR,
    RuleDays,
    first_day_from,
    last_day_until,
    ordinal_of_new_year,
)
from chroniker.schedule.rrule_params import Numbers, Weekday
from chroniker.schedule.zones import DAY

SEARCH_START_DAY = dt.datetime(2000, 1, 1)
ALL_MONTHS = tuple(range(1, 13))


@dataclass(frozen=True, slots=True)
class CronDays:
    """The days of an expression's three day fields. None means that the field matches every day."""

    months: Numbers
    monthdays: Numbers | None
    workday_nearest_to: int | None
    "For ``15W``: 15."
    weekdays: tuple[Weekday, ...] | None
    must_match_both: bool
    "One of the day fields begins with a star. Otherwise one match is enough."

    def day_mask(self, year: int) -> int:
        return _compute_day_mask(self, year)


@lru_cache(maxsize=16384)
def _compute_day_mask(days: CronDays, year: int) -> int:
    by_month = RuleDays(bymonth=days.months).day_mask(year)
    by_weekday = by_month if days.weekdays is None else RuleDays(days.months, byweekday=days.weekdays).day_mask(year)
    if days.workday_nearest_to is not None:
        by_day = _nearest_working_day_mask(days.months, days.workday_nearest_to, year)
    else:
        by_day = by_month if days.monthdays is None else RuleDays(days.months, days.monthdays).day_mask(year)
    if days.must_match_both or days.weekdays is None or (days.monthdays is None and days.workday_nearest_to is None):
        return by_day & by_weekday
    return by_day | by_weekday


def _nearest_working_day_mask(months: Numbers, day: int, year: int) -> int:
    bits = 0
    for month in months:
        last = monthrange(year, month)[1]
        date = dt.date(year, month, min(day, last))
        if date.weekday() == 5:
            date += -DAY if date.day > 1 else 2 * DAY
        elif date.weekday() == 6:
            date += DAY if date.day < last else -2 * DAY
        bits |= 1 << (date.toordinal() - ordinal_of_new_year(year))
    return bits


class CronRule:
    """One parsed expression. Immutable, so threads may share it."""

    def __init__(self, text: str) -> None:
        self.fields = cron_parser.parse_fields(text)
        #: As in Debian's cron: whether the hour or minute field is ``*`` or ``*/n``. Here also the second field.
        self.by_interval = any(field.startswith("*") for field in self.fields[:3])
        parsed = croniter(" ".join(self.fields), SEARCH_START_DAY, second_at_beginning=True)
        minutes, hours, _days, _months, _weekdays, seconds = parsed.expanded
        self.hours = _field_numbers(hours, range(24))
        self.minutes = _field_numbers(minutes, range(60))
        self.seconds = _field_numbers(seconds, range(60))
        self.days = _make_cron_days(parsed, self.fields)
        if self.first_at_or_after(SEARCH_START_DAY) is None:
            message = _("“%(text)s” never fires, because no date matches it. “0 3 1 * *” fires on day 1 of each month.")
            raise ScheduleError("cron", message % {"text": text})

    def first_at_or_after(self, wall_time: dt.datetime) -> dt.datetime | None:
        """The first time at or after ``wall_time``, or None if there is none within a hundred years."""
        limit = ordinal_of_new_year(min(wall_time.year + MAX_SEARCH_YEARS, MAX_YEAR))
        day = first_day_from(self.days, wall_time.toordinal(), limit)
        if day == wall_time.toordinal():
            if time := self._time_at_or_after(wall_time):
                return dt.datetime.combine(wall_time, time)
            day = first_day_from(self.days, day + 1, limit)
        first = dt.time(self.hours[0], self.minutes[0], self.seconds[0])
        return None if day is None else dt.datetime.combine(dt.date.fromordinal(day), first)

    def last_before(self, wall_time: dt.datetime) -> dt.datetime | None:
        """The last time before ``wall_time``, or None if there is none within a hundred years."""
        limit = ordinal_of_new_year(max(wall_time.year - MAX_SEARCH_YEARS, 1))
        day = last_day_until(self.days, wall_time.toordinal(), limit)
        if day == wall_time.toordinal():
            if time := self._time_before(wall_time):
                return dt.datetime.combine(wall_time, time)
            day = last_day_until(self.days, day - 1, limit)
        last = dt.time(self.hours[-1], self.minutes[-1], self.seconds[-1])
        return None if day is None else dt.datetime.combine(dt.date.fromordinal(day), last)

    def _time_at_or_after(self, wall_time: dt.datetime) -> dt.time | None:
        hours, minutes, seconds = self.hours, self.minutes, self.seconds
        second = wall_time.second + bool(wall_time.microsecond)
        at_hour = bisect_left(hours, wall_time.hour)
        if at_hour < len(hours) and hours[at_hour] == wall_time.hour:
            at_minute = bisect_left(minutes, wall_time.minute)
            if at_minute < len(minutes) and minutes[at_minute] == wall_time.minute:
                at_second = bisect_left(seconds, second)
                if at_second < len(seconds):
                    return dt.time(wall_time.hour, wall_time.minute, seconds[at_second])
                at_minute += 1
            if at_minute < len(minutes):
                return dt.time(wall_time.hour, minutes[at_minute], seconds[0])
            at_hour += 1
        return dt.time(hours[at_hour], minutes[0], seconds[0]) if at_hour < len(hours) else None

    def _time_before(self, wall_time: dt.datetime) -> dt.time | None:
        hours, minutes, seconds = self.hours, self.minutes, self.seconds
        second = wall_time.second + bool(wall_time.microsecond)
        at_hour = bisect_right(hours, wall_time.hour) - 1
        if at_hour >= 0 and hours[at_hour] == wall_time.hour:
            at_minute = bisect_right(minutes, wall_time.minute) - 1
            if at_minute >= 0 and minutes[at_minute] == wall_time.minute:
                at_second = bisect_left(seconds, second) - 1
                if at_second >= 0:
                    return dt.time(wall_time.hour, wall_time.minute, seconds[at_second])
                at_minute -= 1
            if at_minute >= 0:
                return dt.time(wall_time.hour, minutes[at_minute], seconds[-1])
            at_hour -= 1
        return dt.time(hours[at_hour], minutes[-1], seconds[-1]) if at_hour >= 0 else None


def _field_numbers(expanded: list[int | str], all_numbers: range) -> Numbers:
    return tuple(all_numbers) if "*" in expanded else tuple(sorted(int(value) for value in expanded))


def _make_cron_days(parsed: croniter, fields: tuple[str, ...]) -> CronDays:
    _minutes, _hours, monthdays, months, weekdays, _seconds = parsed.expanded
    nth = parsed.nth_weekday_of_month
    return CronDays(
        months=ALL_MONTHS if "*" in months else tuple(months),
        monthdays=None if "*" in monthdays else tuple(sorted(-1 if day == "l" else day for day in monthdays)),
        workday_nearest_to=next(iter(parsed.nearest_weekday), None),
        weekdays=_nth_weekdays(nth) if nth else _plain_weekdays(weekdays),
        must_match_both=not cron_parser.is_one_matching_day_field_enough(fields),
    )


def _plain_weekdays(weekdays: list[int | str]) -> tuple[Weekday, ...] | None:
    return None if "*" in weekdays else tuple(sorted((_to_python_weekday(int(day)), 0) for day in weekdays))


def _nth_weekdays(nth: dict[int, set[int | str]]) -> tuple[Weekday, ...]:
    """``fri#3`` is the third Friday of the month, ``l5`` the last."""
    return tuple(
        sorted((_to_python_weekday(day), -1 if n == "l" else int(n)) for day, named in nth.items() for n in named)
    )


def _to_python_weekday(day: int) -> int:
    """cron counts the days of the week from Sunday, Python from Monday."""
    return (day - 1) % 7


@lru_cache(maxsize=4096)
def parse_cron_rule(text: str) -> CronRule:
    """The parsed expression. Jobs with the same expression share the result."""
    return CronRule(text)
