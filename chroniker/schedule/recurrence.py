"""RFC 5545 recurrence rules in wall-clock time, with the results of dateutil.

The cost of a search does not depend on the distance from the anchor: the period is found by division, and a search
without a result ends after a hundred years. dateutil steps from the anchor: five years of a SECONDLY rule take it
minutes, and a rule that never fires takes it hours.

Where dateutil differs from the RFC, the RFC decides; the tests name these cases.
"""

from __future__ import annotations

import datetime as dt
from abc import ABC, abstractmethod
from itertools import product

from chroniker.schedule.day_sets import MAX_SEARCH_YEARS, MAX_YEAR, RuleDays, ordinal_of_new_year
from chroniker.schedule.rrule_params import RecurrenceParams
from chroniker.schedule.spec import Frequency
from chroniker.schedule.zones import SECOND

DAY_SECONDS = 86_400


class RecurrenceRule(ABC):
    """Base class of both kinds of rules. Immutable after construction, so threads may share it."""

    by_interval = False
    stride: dt.timedelta

    def __init__(self, frequency: str, params: RecurrenceParams, anchor: dt.datetime) -> None:
        self.params = params
        self.anchor = anchor
        self.days = _make_rule_days(frequency, params, anchor)
        self._last: dt.datetime | None = None

    def first_at_or_after(self, wall_time: dt.datetime) -> dt.datetime | None:
        wall_time = max(wall_time, self.anchor)
        found = self._first_time_from(wall_time, ordinal_of_new_year(min(wall_time.year + MAX_SEARCH_YEARS, MAX_YEAR)))
        return found if found is not None and (self._last is None or found <= self._last) else None

    def last_before(self, wall_time: dt.datetime) -> dt.datetime | None:
        """Search forward from starts that get earlier and earlier. So only one direction of search is implemented."""
        reach = self.stride
        while wall_time > self.anchor:
            start = wall_time - reach if wall_time - self.anchor > reach else self.anchor
            found = self.first_at_or_after(start)
            if found is not None and found < wall_time:
                return self._advance_to_last_before(wall_time, found)
            if start == self.anchor:
                break
            reach *= 4
        return None

    def _advance_to_last_before(self, wall_time: dt.datetime, found: dt.datetime) -> dt.datetime:
        for _ in range(3):  # usually a stride contains only a few times
            following = self.first_at_or_after(found + SECOND)
            if following is None or following >= wall_time:
                return found
            found = following
        high = wall_time
        while high - found > SECOND:
            middle = found + max((high - found) // 2, SECOND)
            following = self.first_at_or_after(middle)
            if following is not None and following < wall_time:
                found = following
            else:
                high = middle
        return found

    def set_last_time_from_count(self) -> None:
        """Compute the last time of a rule with ``count``. Times are counted in wall-clock time from the anchor."""
        last, wall_time = None, self.anchor
        for _ in range(self.params.count or 0):
            last = self.first_at_or_after(wall_time)
            if last is None:
                return
            wall_time = last + SECOND
        self._last = last

    @abstractmethod
    def _first_time_from(self, wall_time: dt.datetime, limit: int) -> dt.datetime | None:
        """The first time at or after ``wall_time``, on a day before ``limit``."""


def _make_rule_days(frequency: str, params: RecurrenceParams, anchor: dt.datetime) -> RuleDays:
    """The days of a rule. Missing parts are taken from the anchor, as RFC 5545 defines."""
    bymonth, bymonthday, byweekday = params.bymonth, params.bymonthday, params.byweekday
    if not params.selects_days:
        if frequency == Frequency.YEARLY:
            bymonth = bymonth or (anchor.month,)
        if frequency in (Frequency.YEARLY, Frequency.MONTHLY):
            bymonthday = (anchor.day,)
        if frequency == Frequency.WEEKLY:
            byweekday = ((anchor.weekday(), 0),)
    if frequency == Frequency.MONTHLY and byweekday:
        bymonth = bymonth or tuple(range(1, 13))  # so that "the first Monday" is counted in the month, not in the year
    return RuleDays(bymonth, bymonthday, params.byyearday, params.byweekno, params.byeaster, byweekday, params.wkst)


def times_of_day(hours: tuple[int, ...], minutes: tuple[int, ...], seconds: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(h * 3600 + m * 60 + s for h, m, s in product(hours, minutes, seconds)))


def second_of_day(wall_time: dt.datetime) -> int:
    """The second of the day, rounded up to a full second; 24:00 is possible."""
    return wall_time.hour * 3600 + wall_time.minute * 60 + wall_time.second + bool(wall_time.microsecond)


def absolute_second(wall_time: dt.datetime) -> int:
    return wall_time.toordinal() * DAY_SECONDS + second_of_day(wall_time)


def datetime_of_day_and_second(day: int, second: int) -> dt.datetime:
    return dt.datetime.fromordinal(day) + dt.timedelta(seconds=second)
