"""The passes of the tick, minute by minute. Two statements."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.db.models import Max, Sum

from chroniker.models import TickMinute

MINUTES_SHOWN = 60
DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class MinuteOfTicks:
    """The passes of all hosts in one minute. Without a pass, ``longest_pass_seconds`` is ``None``."""

    start: dt.datetime
    longest_pass_seconds: float | None = None
    longest_gap_seconds: float = 0.0
    claimed: int = 0


@dataclass(frozen=True, slots=True)
class TickHistory:
    """``minutes``: the last hour, without the current minute, which is not complete.

    ``minute_with_longest_gap``: of the last 24 hours.
    """

    minutes: list[MinuteOfTicks]
    minute_with_longest_gap: MinuteOfTicks | None

    @property
    def claimed(self) -> int:
        return sum(minute.claimed for minute in self.minutes)

    @property
    def first_minute_with_pass(self) -> dt.datetime | None:
        """The first minute with a pass. Before it, nothing is known."""
        return next((minute.start for minute in self.minutes if minute.longest_pass_seconds is not None), None)

    @property
    def pass_p95_seconds(self) -> float | None:
        """95 of 100 minutes had no longer pass, in seconds."""
        longest = (minute.longest_pass_seconds for minute in self.minutes)
        passes = sorted(seconds for seconds in longest if seconds is not None)
        return passes[(len(passes) * 95 - 1) // 100] if passes else None


def fetch_tick_history(now: dt.datetime) -> TickHistory:
    end = now.replace(second=0, microsecond=0)
    begin = end - dt.timedelta(minutes=MINUTES_SHOWN)
    rows = TickMinute.objects.filter(minute__gte=begin, minute__lt=end).order_by("minute").values("minute")
    found = {
        row["minute"]: MinuteOfTicks(row["minute"], row["longest"], row["gap"], row["n"])
        for row in rows.annotate(longest=Max("longest_pass"), gap=Max("longest_gap"), n=Sum("claimed"))
    }
    starts = [begin + dt.timedelta(minutes=number) for number in range(MINUTES_SHOWN)]
    minutes = [found.get(start, MinuteOfTicks(start)) for start in starts]
    return TickHistory(minutes, _fetch_longest_gap(now))


def _fetch_longest_gap(now: dt.datetime) -> MinuteOfTicks | None:
    row = TickMinute.objects.filter(minute__gte=now - DAY).order_by("-longest_gap").first()
    return MinuteOfTicks(row.minute, row.longest_pass, row.longest_gap) if row is not None else None


def find_gaps_without_pass(history: TickHistory) -> list[tuple[int, int]]:
    """Stretches without a pass after the first known one, as (index of the first minute, number)."""
    found: list[tuple[int, int]] = []
    first = history.first_minute_with_pass
    for index, minute in enumerate(history.minutes):
        if minute.longest_pass_seconds is not None or first is None or minute.start < first:
            continue
        if found and sum(found[-1]) == index:
            found[-1] = (found[-1][0], found[-1][1] + 1)
        else:
            found.append((index, 1))
    return found
