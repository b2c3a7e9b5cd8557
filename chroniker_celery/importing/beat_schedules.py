"""Converts schedules of django-celery-beat, and computes their instants with Celery."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from celery.schedules import ParseException, crontab
from django.utils.translation import gettext as _

from chroniker import schedule
from chroniker.exceptions import ImportRefused, ScheduleError
from chroniker.importing.report import MAX_INSTANTS_SHOWN
from chroniker.schedule import Frequency
from chroniker_celery.importing.beat_tables import BeatRows, Crontab, Interval, Task

FREQUENCY_BY_PERIOD = {
    "days": (Frequency.DAILY, dt.timedelta(days=1)),
    "hours": (Frequency.HOURLY, dt.timedelta(hours=1)),
    "minutes": (Frequency.MINUTELY, dt.timedelta(minutes=1)),
    "seconds": (Frequency.SECONDLY, dt.timedelta(seconds=1)),
}
MAX_CRON_LENGTH = 255


@dataclass(slots=True)
class ConvertedSchedule:
    original_text: str
    #: The values of the job's fields.
    fields: dict[str, Any]
    #: The next instants in Celery.
    instants: list[dt.datetime] = field(default_factory=list)


def convert_schedule(task: Task, beat: BeatRows, now: dt.datetime) -> ConvertedSchedule:
    """Raises ``ImportRefused`` for a schedule without an equivalent."""
    if task.crontab in beat.crontabs:
        return _convert_crontab(beat.crontabs[task.crontab], task, now)
    if task.interval in beat.intervals:
        return _convert_interval(beat.intervals[task.interval], task, now)
    if task.clocked in beat.clocked:
        moment = beat.clocked[task.clocked].clocked_time
        fields = {"frequency": Frequency.ONCE, "run_at": moment, "timezone": "UTC"}
        return ConvertedSchedule(f"clocked {moment.isoformat(' ')}", fields, [moment] if moment > now else [])
    if task.solar in beat.solar:
        raise ImportRefused(_("A solar schedule (%(event)s) has no equivalent.") % beat.solar[task.solar].__dict__)
    raise ImportRefused(_("It has no schedule."))


def _convert_crontab(row: Crontab, task: Task, now: dt.datetime) -> ConvertedSchedule:
    parts = [row.minute, row.hour, row.day_of_month, row.month_of_year, row.day_of_week]
    minute, hour, day, month, weekday = ("".join(part.split()) or "*" for part in parts)
    text = f"{minute} {hour} {day} {month} {weekday}"
    try:
        celery_schedule = crontab(minute=minute, hour=hour, day_of_month=day, month_of_year=month, day_of_week=weekday)
        zone = ZoneInfo(row.timezone)
    except (ParseException, ValueError, KeyError, OSError) as error:
        raise ImportRefused(
            _("Celery refuses its schedule %(text)s: %(error)s") % {"text": text, "error": error}
        ) from error
    # Celery requires both days to match, cron one of them. A recurrence rule requires both.
    both = "*" not in (day, weekday)
    fields = {"cron": text} if not both and _is_valid_cron(text) else _convert_to_daily_rule(celery_schedule)
    bounds = {"timezone": row.timezone, "starts_at": task.start_time}
    instants = _next_instants(celery_schedule, zone, max(now, task.start_time or now))
    return ConvertedSchedule(f"crontab {text} ({row.timezone})", {**fields, **bounds}, instants)


def _is_valid_cron(text: str) -> bool:
    try:
        schedule.validate_schedule(schedule.ScheduleSpec(Frequency.CRON, cron=text))
    except ScheduleError:
        return False
    return len(text) <= MAX_CRON_LENGTH


def _convert_to_daily_rule(celery_schedule: Any) -> dict[str, Any]:
    """The same instants as a daily recurrence rule with conditions."""
    wanted = {
        "bymonth": (celery_schedule.month_of_year, 12),
        "bymonthday": (celery_schedule.day_of_month, 31),
        "byweekday": ({(day - 1) % 7 for day in celery_schedule.day_of_week}, 7),
    }
    parts = [
        f"{name}:{_join_numbers(values)}" for name, (values, all_of_them) in wanted.items() if len(values) < all_of_them
    ]
    times = [
        f"byhour:{_join_numbers(celery_schedule.hour)}",
        f"byminute:{_join_numbers(celery_schedule.minute)}",
        "bysecond:0",
    ]
    return {"frequency": Frequency.DAILY, "params": ";".join([*parts, *times])}


def _join_numbers(values: set[int]) -> str:
    return ",".join(map(str, sorted(values)))


def _next_instants(celery_schedule: Any, zone: ZoneInfo, now: dt.datetime) -> list[dt.datetime]:
    celery_schedule.tz = zone
    last = now.astimezone(zone)
    found: list[dt.datetime] = []
    try:
        while len(found) < MAX_INSTANTS_SHOWN:
            begin, remaining, _now = celery_schedule.remaining_delta(last)
            last = begin + remaining
            found.append(last.astimezone(dt.UTC))
    except (RuntimeError, OverflowError, ValueError):  # there is none before the last year
        return found
    return found


def _convert_interval(row: Interval, task: Task, now: dt.datetime) -> ConvertedSchedule:
    every, period = row.every, row.period
    if period == "microseconds" and every % 1_000_000 == 0:
        every, period = every // 1_000_000, "seconds"
    if period not in FREQUENCY_BY_PERIOD or every < 1:
        raise ImportRefused(
            _("An interval of %(every)s %(period)s has no equivalent: the shortest interval is one second.")
            % {"every": row.every, "period": row.period}
        )
    frequency, unit = FREQUENCY_BY_PERIOD[period]
    # Without a last run, beat counts from the time when the task was saved, or from its start.
    known = task.last_run_at or (task.start_time and task.start_time - every * unit) or task.date_changed or now
    first = (known + every * unit).replace(microsecond=0)
    fields = {"frequency": frequency, "params": f"interval:{every}", "starts_at": first, "timezone": "UTC"}
    skipped = max(0, -((first - now) // (every * unit)))
    begin = first + skipped * (every * unit)
    begin += every * unit if begin <= now else dt.timedelta()
    instants = [begin + number * every * unit for number in range(MAX_INSTANTS_SHOWN)]
    return ConvertedSchedule(f"every {row.every} {row.period}", fields, instants)
