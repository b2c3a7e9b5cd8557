"""The times at which cron itself runs a line. Independent of ``chroniker.schedule``, so that both can be compared.

Follows crontab(5) and cron(8) of Debian; cronie does the same. Both day fields must match if one of them begins with a
star. At a clock change of up to three hours, a line without a star in the minute and hour fields runs once: right after
a skipped hour, and the first time in a repeated hour. Other lines run whenever the clock shows their time.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from zoneinfo import ZoneInfo

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
ALIASES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
DAY = dt.timedelta(days=1)
#: Ten occurrences of 29 February.
MAX_DAYS_SEARCHED = 50 * 366
#: cron treats a larger change as a correction of the clock, and runs nothing for the skipped time.
MAX_CLOCK_GAP = dt.timedelta(hours=3)


@dataclass(frozen=True, slots=True)
class CronLine:
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    must_match_both_days: bool
    has_star: bool
    "In the minute or hour field."

    def matches(self, day: dt.date) -> bool:
        if day.month not in self.months:
            return False
        by_day, by_weekday = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return (by_day and by_weekday) if self.must_match_both_days else (by_day or by_weekday)


def compute_cron_instants(expression: str, zone: ZoneInfo, now: dt.datetime, limit: int) -> list[dt.datetime]:
    """The next ``limit`` runs after ``now``, in UTC. Empty if cron does not accept the expression."""
    line = _parse_expression(expression)
    if line is None:
        return []
    first = now.astimezone(zone).date() - DAY
    found: set[dt.datetime] = set()
    for number in range(MAX_DAYS_SEARCHED):
        day = first + number * DAY
        is_complete = len(found) >= limit  # look at one more day: a day may end after the next one began
        if line.matches(day):
            found.update(moment for moment in _runs_on_day(line, day, zone) if moment > now)
            if is_complete:
                break
    return sorted(found)[:limit]


def _runs_on_day(line: CronLine, day: dt.date, zone: ZoneInfo) -> Iterator[dt.datetime]:
    for hour, minute in product(line.hours, line.minutes):
        wall = dt.datetime.combine(day, dt.time(hour, minute))
        existing = sorted({moment for moment in _moments_of_wall_time(wall, zone) if _local_time(moment, zone) == wall})
        if line.has_star:
            yield from existing
        elif existing:
            yield existing[0]
        elif (end := _end_of_dst_gap(wall, zone)) is not None:
            yield end


def _moments_of_wall_time(wall: dt.datetime, zone: ZoneInfo) -> tuple[dt.datetime, dt.datetime]:
    first, second = (wall.replace(tzinfo=zone, fold=fold).astimezone(dt.UTC) for fold in (0, 1))
    return first, second


def _local_time(moment: dt.datetime, zone: ZoneInfo) -> dt.datetime:
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


def _end_of_dst_gap(wall: dt.datetime, zone: ZoneInfo) -> dt.datetime | None:
    """The first minute after the gap that contains ``wall``. None if the gap is too long for cron."""
    after, before = _moments_of_wall_time(wall, zone)  # in a gap, fold 0 is read with the offset before the gap
    if after - before > MAX_CLOCK_GAP:
        return None
    offset = before.astimezone(zone).utcoffset()
    moment = before
    while moment.astimezone(zone).utcoffset() == offset:
        moment += dt.timedelta(minutes=1)
    return moment


def _parse_expression(expression: str) -> CronLine | None:
    fields = ALIASES.get(expression.lower(), expression).lower().split()
    if len(fields) != 5:
        return None
    try:
        minutes, hours, days = (
            _parse_field(fields[n], *limits) for n, limits in enumerate(((0, 59), (0, 23), (1, 31)))
        )
        months = _parse_field(fields[3], 1, 12, MONTHS, first=1)
        weekdays = frozenset(day % 7 for day in _parse_field(fields[4], 0, 7, WEEKDAYS))
    except ValueError:
        return None
    return CronLine(
        minutes,
        hours,
        days,
        months,
        weekdays,
        must_match_both_days=fields[2].startswith("*") or fields[4].startswith("*"),
        has_star=fields[0].startswith("*") or fields[1].startswith("*"),
    )


def _parse_field(field: str, low: int, high: int, names: tuple[str, ...] = (), first: int = 0) -> frozenset[int]:
    found: set[int] = set()
    for part in field.split(","):
        span, slash, step = part.partition("/")
        start, dash, end = span.partition("-")
        if span == "*":
            begin, last = low, high
        else:
            begin = _parse_value(start, names, first)
            last = _parse_value(end, names, first) if dash else begin
            if slash and not dash:
                raise ValueError(part)  # cron has steps of ranges only
        if not low <= begin <= last <= high or (slash and int(step) < 1):
            raise ValueError(part)
        found.update(range(begin, last + 1, int(step) if slash else 1))
    return frozenset(found)


def _parse_value(word: str, names: tuple[str, ...], first: int) -> int:
    return names.index(word) + first if word in names else int(word)
