"""The rrule frequencies as rules of wall-clock time.

RFC 5545's recurrence rules as dateutil reads them, computed so that no question costs more because the anchor lies far
back: periods are found by division, never by stepping from the anchor, and a search that finds nothing ends after a
hundred years. (dateutil steps: five years of a SECONDLY rule take it minutes, a rule that never fires takes it hours.)
"""

from __future__ import annotations

import datetime as dt
from abc import ABC, abstractmethod
from itertools import product

from chroniker.schedule.day_sets import HORIZON_YEARS, LAST_YEAR, RuleDays, new_year
from chroniker.schedule.rrule_params import Params
from chroniker.schedule.spec import Frequency
from chroniker.schedule.zones import SECOND

DAY_SECONDS = 86_400


class Recurrence(ABC):
    """Immutable once made, so any number of threads may ask. ``count`` counts times of the clock on the wall."""

    by_interval = False
    stride: dt.timedelta

    def __init__(self, frequency: str, params: Params, anchor: dt.datetime) -> None:
        self.params = params
        self.anchor = anchor
        self.days = _days_of(frequency, params, anchor)
        self._last: dt.datetime | None = None

    def at_or_after(self, wall: dt.datetime) -> dt.datetime | None:
        wall = max(wall, self.anchor)
        if wall.year > LAST_YEAR:
            return None
        found = self._search(wall, new_year(min(wall.year + HORIZON_YEARS, LAST_YEAR)))
        return found if found is not None and (self._last is None or found <= self._last) else None

    def before(self, wall: dt.datetime) -> dt.datetime | None:
        """Looks forward from further and further back: there is only one direction to get right."""
        reach = self.stride
        while wall > self.anchor:
            start = wall - reach if wall - self.anchor > reach else self.anchor
            found = self.at_or_after(start)
            if found is not None and found < wall:
                return self._last_before(wall, found)
            if start == self.anchor:
                break
            reach *= 4
        return None

    def _last_before(self, wall: dt.datetime, found: dt.datetime) -> dt.datetime:
        for _ in range(3):  # mostly there are only a few in a stride
            following = self.at_or_after(found + SECOND)
            if following is None or following >= wall:
                return found
            found = following
        high = wall
        while high - found > SECOND:
            middle = found + max((high - found) // 2, SECOND)
            following = self.at_or_after(middle)
            if following is not None and following < wall:
                found = following
            else:
                high = middle
        return found

    def stop_after_count(self) -> None:
        """Find out where ``count`` ends the rule; needs ``starts_at`` to count from."""
        last, wall = None, self.anchor
        for _ in range(self.params.count or 0):
            last = self.at_or_after(wall)
            if last is None:
                return
            wall = last + SECOND
        self._last = last

    @abstractmethod
    def _search(self, wall: dt.datetime, limit: int) -> dt.datetime | None:
        """The first time from ``wall`` on, on a day before ``limit``."""


def _days_of(frequency: str, params: Params, anchor: dt.datetime) -> RuleDays:
    """What the rule does not say about its days, it takes from the anchor, as RFC 5545 has it."""
    bymonth, bymonthday, byweekday = params.bymonth, params.bymonthday, params.byweekday
    if not params.names_days:
        if frequency == Frequency.YEARLY:
            bymonth = bymonth or (anchor.month,)
        if frequency in (Frequency.YEARLY, Frequency.MONTHLY):
            bymonthday = (anchor.day,)
        if frequency == Frequency.WEEKLY:
            byweekday = ((anchor.weekday(), 0),)
    if frequency == Frequency.MONTHLY and byweekday:
        bymonth = bymonth or tuple(range(1, 13))  # makes "the first Monday" one of each month, not of the year
    return RuleDays(bymonth, bymonthday, params.byyearday, params.byweekno, params.byeaster, byweekday, params.wkst)


def times_of_day(hours: tuple[int, ...], minutes: tuple[int, ...], seconds: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(h * 3600 + m * 60 + s for h, m, s in product(hours, minutes, seconds)))


def second_of_day(wall: dt.datetime) -> int:
    """Rounded up to a full second, of which 24:00 is one."""
    return wall.hour * 3600 + wall.minute * 60 + wall.second + bool(wall.microsecond)


def absolute_second(wall: dt.datetime) -> int:
    return wall.toordinal() * DAY_SECONDS + second_of_day(wall)


def moment_of(day: int, second: int) -> dt.datetime:
    return dt.datetime.fromordinal(day) + dt.timedelta(seconds=second)
