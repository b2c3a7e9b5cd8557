"""RFC 5545 recurrence rules in wall-clock time, with the results of dateutil.

The cost of a search does not depend on the distance from the anchor: the period is found by division, and a search
without a result ends after a hundred years. dateutil steps from the anchor: five years of a SECONDLY rule take it
minutes, and a rule that never fires takes it hours.
"""

from __future__ import annotations

import datetime as dt
from abc import ABC, abstractmethod
from itertools import product

from chroniker.schedule.day_sets import HORIZON_YEARS, LAST_YEAR, RuleDays, ordinal_of_new_year
from chroniker.schedule.rrule_params import Params
from chroniker.schedule.spec import Frequency
from chroniker.schedule.zones import SECOND

DAY_SECONDS = 86_400


class Recurrence(ABC):
    """Base class of both kinds of rules. Immutable after construction, so threads may share it."""

    by_interval = False
    stride: dt.timedelta

    def __init__(self, frequency: str, params: Params, anchor: dt.datetime) -> None:
        self.params = params
        self.anchor = anchor
        self.days = _rule_days_of(frequency, params, anchor)
        self._last: dt.datetime | None = None

    def first_at_or_after(self, wall: dt.datetime) -> dt.datetime | None:
        wall = max(wall, self.anchor)
        if wall.year > LAST_YEAR:
            return None
        found = self._first_time_from(wall, ordinal_of_new_year(min(wall.year + HORIZON_YEARS, LAST_YEAR)))
        return found if found is not None and (self._last is None or found <= self._last) else None

    def last_before(self, wall: dt.datetime) -> dt.datetime | None:
        """Searches forward from earlier and earlier starts, so that only one search direction is implemented."""
        reach = self.stride
        while wall > self.anchor:
            start = wall - reach if wall - self.anchor > reach else self.anchor
            found = self.first_at_or_after(start)
            if found is not None and found < wall:
                return self._advance_to_last_before(wall, found)
            if start == self.anchor:
                break
            reach *= 4
        return None

    def _advance_to_last_before(self, wall: dt.datetime, found: dt.datetime) -> dt.datetime:
        for _ in range(3):  # usually a stride contains only a few times
            following = self.first_at_or_after(found + SECOND)
            if following is None or following >= wall:
                return found
            found = following
        high = wall
        while high - found > SECOND:
            middle = found + max((high - found) // 2, SECOND)
            following = self.first_at_or_after(middle)
            if following is not None and following < wall:
                found = following
            else:
                high = middle
        return found

    def compute_last_time(self) -> None:
        """Compute the last time of a rule with ``count``. Times are counted in wall-clock time from the anchor."""
        last, wall = None, self.anchor
        for _ in range(self.params.count or 0):
            last = self.first_at_or_after(wall)
            if last is None:
                return
            wall = last + SECOND
        self._last = last

    @abstractmethod
    def _first_time_from(self, wall: dt.datetime, limit: int) -> dt.datetime | None:
        """The first time at or after ``wall``, on a day before ``limit``."""


def _rule_days_of(frequency: str, params: Params, anchor: dt.datetime) -> RuleDays:
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


def second_of_day(wall: dt.datetime) -> int:
    """Rounded up to a full second; 24:00 is possible."""
    return wall.hour * 3600 + wall.minute * 60 + wall.second + bool(wall.microsecond)


def absolute_second(wall: dt.datetime) -> int:
    return wall.toordinal() * DAY_SECONDS + second_of_day(wall)


def moment_of(day: int, second: int) -> dt.datetime:
    return dt.datetime.fromordinal(day) + dt.timedelta(seconds=second)
