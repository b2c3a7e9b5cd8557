"""Describes cron expressions in words."""

from __future__ import annotations

from django.utils.translation import gettext as _

from chroniker.schedule import phrases
from chroniker.schedule.cron_rule import ALL_MONTHS, CronDays, CronRule
from chroniker.schedule.spec import Frequency


def describe_cron(rule: CronRule) -> str | None:
    """Return the expression in words; None if the words would be harder to read than the expression."""
    interval = _describe_interval(rule)
    time = interval or _describe_times(rule)
    if time is None:
        return None
    days = rule.days
    if days.weekdays is None and days.monthdays is None and days.months == ALL_MONTHS:
        return interval or _("%(time)s every day") % {"time": time}
    day_words = _describe_days(days)
    return _("%(time)s %(days)s") % {"time": time, "days": day_words} if day_words else None


def _describe_interval(rule: CronRule) -> str | None:
    second, minute, hour = rule.fields[:3]
    if minute == hour == "*" and (n := _evenly_dividing_step(second, 60)):
        return phrases.interval_phrase(Frequency.SECONDLY, n)
    if second != "0":
        return None
    if n := _evenly_dividing_step(minute, 60):
        return _add_hour_range(phrases.interval_phrase(Frequency.MINUTELY, n), rule, last_minute=60 - n)
    n = _evenly_dividing_step(hour, 24)
    if len(rule.minutes) > phrases.MAX_LISTED_ITEMS or not n:
        return None
    text = phrases.interval_phrase(Frequency.HOURLY, n)
    if rule.minutes == (0,):
        return text
    return _("%(every)s at minute %(minutes)s") % {"every": text, "minutes": phrases.join_words(rule.minutes)}


def _evenly_dividing_step(field: str, size: int) -> int | None:
    """The n of ``*/n`` if it divides ``size`` evenly; 1 for ``*``."""
    star, _slash, step = field.partition("/")
    if star != "*" or not (step or "1").isdigit():
        return None
    n = int(step or 1)
    return n if n < size and size % n == 0 else None


def _add_hour_range(text: str, rule: CronRule, last_minute: int) -> str | None:
    hours = rule.hours
    if len(hours) == 24:
        return text
    if list(hours) != list(range(hours[0], hours[-1] + 1)):
        return None
    span = {
        "every": text,
        "first": phrases.format_clock_time(hours[0], 0),
        "last": phrases.format_clock_time(hours[-1], last_minute),
    }
    return _("%(every)s from %(first)s to %(last)s") % span


def _describe_times(rule: CronRule) -> str | None:
    hours, minutes = rule.hours, rule.minutes
    if rule.seconds == (0,) and len(minutes) == 1 and len(hours) > 2 and hours == tuple(range(hours[0], hours[-1] + 1)):
        span = {
            "first": phrases.format_clock_time(hours[0], minutes[0]),
            "last": phrases.format_clock_time(hours[-1], minutes[0]),
        }
        return _("every hour from %(first)s to %(last)s") % span
    return phrases.times_phrase(hours, minutes, rule.seconds)


def _describe_days(days: CronDays) -> str | None:
    months = () if days.months == ALL_MONTHS else days.months
    if days.workday_nearest_to is not None:
        if days.weekdays is not None or months:
            return None
        return _("on the working day nearest to day %(day)s of the month") % {"day": days.workday_nearest_to}
    if days.weekdays is None and days.monthdays is None:
        return _("every day in %(months)s") % {"months": phrases.month_names(months)}
    if days.weekdays is not None and days.monthdays is not None:
        return _describe_either_days(days) if not months and not days.must_match_both else None
    if days.monthdays is not None:
        return (
            phrases.monthdays_phrase(days.monthdays, months)
            if len(days.monthdays) <= phrases.MAX_LISTED_ITEMS
            else None
        )
    return phrases.weekdays_phrase(days.weekdays or (), months)


def _describe_either_days(days: CronDays) -> str | None:
    monthdays, weekdays = phrases.monthdays_phrase(days.monthdays or ()), phrases.weekdays_phrase(days.weekdays or ())
    if monthdays is None or weekdays is None or len(days.monthdays or ()) > phrases.MAX_LISTED_ITEMS:
        return None
    return _("%(monthdays)s, and %(weekdays)s") % {"monthdays": monthdays, "weekdays": weekdays}
