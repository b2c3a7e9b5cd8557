"""Recurrence rules of the frequencies HOURLY, MINUTELY and SECONDLY."""

from __future__ import annotations

import datetime as dt
from itertools import product
from math import gcd

from chroniker.schedule.day_sets import first_day_from
from chroniker.schedule.recurrence import (
    DAY_SECONDS,
    RecurrenceRule,
    absolute_second,
    datetime_of_day_and_second,
    times_of_day,
)
from chroniker.schedule.rrule_params import RecurrenceParams
from chroniker.schedule.spec import Frequency

UNIT_SECONDS = {Frequency.HOURLY: 3600, Frequency.MINUTELY: 60, Frequency.SECONDLY: 1}


class SubdailyRule(RecurrenceRule):
    """Fires in every n-th hour, minute or second that meets the conditions."""

    def __init__(self, frequency: str, params: RecurrenceParams, anchor: dt.datetime) -> None:
        super().__init__(frequency, params, anchor)
        unit = UNIT_SECONDS[Frequency(frequency)]
        self.by_interval = not params.byhour
        self.unit = unit
        self.step = unit * params.interval
        self.stride = dt.timedelta(seconds=self.step)
        self.origin = absolute_second(anchor) // unit * unit
        self.offsets = self._offsets_within_unit(anchor)
        self.hours = _make_next_allowed_table(params.byhour, 24)
        self.minutes = _make_next_allowed_table(params.byminute if unit < 3600 else (), 60)
        self.seconds = _make_next_allowed_table(params.bysecond if unit == 1 else (), 60)
        self.never_fires = not self._can_ever_fire()

    def _offsets_within_unit(self, anchor: dt.datetime) -> tuple[int, ...]:
        """Seconds from the start of a matching unit to each of its times."""
        minutes = self.params.byminute or (anchor.minute,) if self.unit == 3600 else (0,)
        seconds = self.params.bysecond or (anchor.second,) if self.unit > 1 else (0,)
        offsets = times_of_day((0,), minutes, seconds)
        if not self.params.bysetpos:
            return offsets
        positions = sorted({p - 1 if p > 0 else len(offsets) + p for p in self.params.bysetpos})
        return tuple(offsets[position] for position in positions if 0 <= position < len(offsets))

    def _can_ever_fire(self) -> bool:
        """Whether the interval ever meets an allowed time of day. HOURLY with interval 24 meets one hour only."""
        common = gcd(self.step, DAY_SECONDS)
        tables = (self.hours, self.minutes if self.unit < 3600 else (0,), self.seconds if self.unit == 1 else (0,))
        values = [[n for n, following in enumerate(table) if following == n] for table in tables]
        times = (hour * 3600 + minute * 60 + second for hour, minute, second in product(*values))
        return bool(self.offsets) and any((time - self.origin) % common == 0 for time in times)

    def _first_time_from(self, wall_time: dt.datetime, limit: int) -> dt.datetime | None:
        if self.never_fires:
            return None
        earliest = absolute_second(wall_time)
        at = self._first_step_at_or_after(earliest // self.unit * self.unit)
        while (day := first_day_from(self.days, at // DAY_SECONDS, limit)) is not None:
            if at // DAY_SECONDS != day:
                at = self._first_step_at_or_after(day * DAY_SECONDS)
            elif wait := self._seconds_to_allowed_time(at % DAY_SECONDS):
                at = self._first_step_at_or_after(at + wait)
            elif (found := next((at + offset for offset in self.offsets if at + offset >= earliest), None)) is not None:
                return datetime_of_day_and_second(found // DAY_SECONDS, found % DAY_SECONDS)
            else:
                at += self.step
        return None

    def _first_step_at_or_after(self, at: int) -> int:
        """The first step at or after ``at``."""
        return at + (self.origin - at) % self.step

    def _seconds_to_allowed_time(self, second_of_day: int) -> int:
        """Seconds until the next allowed hour, minute or second; 0 if this one is allowed."""
        hour, rest = divmod(second_of_day, 3600)
        if self.hours[hour] != hour:
            return self.hours[hour] * 3600 - second_of_day
        minute, second = divmod(rest, 60)
        if self.minutes[minute] != minute:
            return self.minutes[minute] * 60 - rest
        return self.seconds[second] - second


def _make_next_allowed_table(allowed: tuple[int, ...], size: int) -> tuple[int, ...]:
    """For each value, the smallest allowed value that is not smaller, or ``size``. An empty tuple allows all values."""
    return tuple(next((n for n in allowed if n >= value), size) if allowed else value for value in range(size))
