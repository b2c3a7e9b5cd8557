"""Recurrence rules of the frequencies YEARLY, MONTHLY, WEEKLY and DAILY."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left

from chroniker.schedule.day_sets import MAX_YEAR, first_day_from
from chroniker.schedule.recurrence import RecurrenceRule, datetime_of_day_and_second, second_of_day, times_of_day
from chroniker.schedule.rrule_params import RecurrenceParams
from chroniker.schedule.spec import Frequency


class CalendarRule(RecurrenceRule):
    """Fires on the selected days of every n-th period, at fixed times of day."""

    def __init__(self, frequency: str, params: RecurrenceParams, anchor: dt.datetime) -> None:
        super().__init__(frequency, params, anchor)
        self.frequency = frequency
        self.times = times_of_day(
            params.byhour or (anchor.hour,), params.byminute or (anchor.minute,), params.bysecond or (anchor.second,)
        )
        self.first_period = self._period_of_day(anchor.toordinal())
        length = {Frequency.YEARLY: 366, Frequency.MONTHLY: 31, Frequency.WEEKLY: 7, Frequency.DAILY: 1}
        self.stride = dt.timedelta(days=length[Frequency(frequency)] * params.interval)

    def _first_time_from(self, wall_time: dt.datetime, limit: int) -> dt.datetime | None:
        day = first_day_from(self.days, wall_time.toordinal(), limit)
        while day is not None:
            period = self._period_of_day(day)
            if missing := (self.first_period - period) % self.params.interval:
                next_day = self._first_day_of_period(period + missing)
            elif self.params.bysetpos:
                if found := next((moment for moment in self._times_of_period(period) if moment >= wall_time), None):
                    return found
                next_day = self._first_day_of_period(period + self.params.interval)
            else:
                if found := self._first_time_on(day, wall_time):
                    return found
                next_day = day + 1
            day = first_day_from(self.days, next_day, limit)
        return None

    def _first_time_on(self, day: int, wall_time: dt.datetime) -> dt.datetime | None:
        earliest = second_of_day(wall_time) if day == wall_time.toordinal() else 0
        position = bisect_left(self.times, earliest)
        return datetime_of_day_and_second(day, self.times[position]) if position < len(self.times) else None

    def _times_of_period(self, period: int) -> list[dt.datetime]:
        """The times of one period that ``bysetpos`` selects."""
        days, end = [], self._first_day_of_period(period + 1)
        day = first_day_from(self.days, self._first_day_of_period(period), end)
        while day is not None:
            days.append(day)
            day = first_day_from(self.days, day + 1, end)
        size = len(days) * len(self.times)
        positions = sorted({p - 1 if p > 0 else size + p for p in self.params.bysetpos})
        return [
            datetime_of_day_and_second(days[position // len(self.times)], self.times[position % len(self.times)])
            for position in positions
            if 0 <= position < size
        ]

    def _period_of_day(self, day: int) -> int:
        if self.frequency == Frequency.DAILY:
            return day
        if self.frequency == Frequency.WEEKLY:
            return (day - 1 - self.params.wkst) // 7  # day 1 was a Monday
        date = dt.date.fromordinal(day)
        return date.year if self.frequency == Frequency.YEARLY else date.year * 12 + date.month - 1

    def _first_day_of_period(self, period: int) -> int:
        if self.frequency == Frequency.DAILY:
            return period
        if self.frequency == Frequency.WEEKLY:
            return period * 7 + 1 + self.params.wkst
        year, month = (period, 0) if self.frequency == Frequency.YEARLY else divmod(period, 12)
        return dt.date(year, month + 1, 1).toordinal() if year <= MAX_YEAR else dt.date.max.toordinal()
