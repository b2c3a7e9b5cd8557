"""A schedule in words, for people who do not read cron."""

from __future__ import annotations

import datetime as dt

from django.utils.translation import gettext as _

from chroniker.schedule import phrases
from chroniker.schedule.clock_rule import UNIT_SECONDS
from chroniker.schedule.cron_rule import EVERY_MONTH, CronDays, CronRule, cron_rule
from chroniker.schedule.rrule_params import Params, parse
from chroniker.schedule.spec import Frequency, Spec
from chroniker.schedule.timeline import DEFAULT_ANCHOR, validate
from chroniker.schedule.zones import zone


def describe(spec: Spec) -> str:
    """Words in the active language: “at 03:00 every day (Europe/Paris)”.

    What has no simple words is quoted. Never raises: a schedule that is not valid is quoted too, and said to be so.
    """
    try:
        validate(spec)
        text = _bounded(spec, _rule(spec))
    except Exception:  # a page must show whatever is stored, also what no form would have let through
        text = _("“%(rule)s”, which is not a valid schedule") % {"rule": _quoted(spec)}
    return _("%(rule)s (%(zone)s)") % {"rule": text, "zone": spec.timezone}


def _rule(spec: Spec) -> str:
    if spec.frequency == Frequency.ONCE and spec.run_at is not None:
        return _("once at %(moment)s") % {"moment": _local(spec, spec.run_at)}
    if spec.frequency == Frequency.CRON:
        return cron_words(cron_rule(spec.cron)) or _("by the cron expression “%(cron)s”") % {"cron": spec.cron.strip()}
    start = DEFAULT_ANCHOR if spec.starts_at is None else spec.starts_at.astimezone(zone(spec.timezone))
    params = parse(str(spec.frequency), spec.params)
    known = rule_words(str(spec.frequency), params, start)
    if known is None:
        rest = phrases.every(str(spec.frequency), params.interval)
        known = _("%(every)s, by the rule “%(params)s”") % {"every": rest, "params": spec.params.strip()}
    return known if params.count is None else _("%(rule)s, %(n)d times") % {"rule": known, "n": params.count}


def _bounded(spec: Spec, text: str) -> str:
    if spec.starts_at is not None and spec.frequency != Frequency.ONCE:
        text = _("%(rule)s, from %(moment)s") % {"rule": text, "moment": _local(spec, spec.starts_at)}
    if spec.ends_at is not None and spec.frequency != Frequency.ONCE:
        text = _("%(rule)s, until %(moment)s") % {"rule": text, "moment": _local(spec, spec.ends_at)}
    return text


def _local(spec: Spec, value: dt.datetime) -> str:
    return phrases.moment(value.astimezone(zone(spec.timezone)))


def _quoted(spec: Spec) -> str:
    parts = [spec.frequency, spec.cron if spec.frequency == Frequency.CRON else spec.params]
    return " ".join(str(part) for part in parts if part)


def cron_words(rule: CronRule) -> str | None:
    """None where the words would be harder to read than the expression."""
    time = _interval_of_day(rule) or _times_of_day(rule)
    if time is None:
        return None
    days = rule.days
    if days.weekdays is None and days.monthdays is None and days.months == EVERY_MONTH:
        return time if rule.by_interval else _("%(time)s every day") % {"time": time}
    named = _days(days)
    return _("%(time)s %(days)s") % {"time": time, "days": named} if named else None


def _interval_of_day(rule: CronRule) -> str | None:
    second, minute, hour = rule.fields[:3]
    if minute == hour == "*" and (n := _step(second, 60)):
        return phrases.every(Frequency.SECONDLY, n)
    if second != "0":
        return None
    if n := _step(minute, 60):
        return _within_hours(phrases.every(Frequency.MINUTELY, n), rule, last_minute=60 - n)
    n = _step(hour, 24)
    if len(rule.minutes) > phrases.MANY or not n:
        return None
    text = phrases.every(Frequency.HOURLY, n)
    if rule.minutes == (0,):
        return text
    return _("%(every)s at minute %(minutes)s") % {"every": text, "minutes": phrases.listed(rule.minutes)}


def _step(field: str, size: int) -> int | None:
    """The n of ``*/n`` where it divides the whole evenly; 1 for ``*``."""
    star, _slash, step = field.partition("/")
    if star != "*" or not (step or "1").isdigit():
        return None
    n = int(step or 1)
    return n if n < size and size % n == 0 else None


def _within_hours(text: str, rule: CronRule, last_minute: int) -> str | None:
    hours = rule.hours
    if len(hours) == 24:
        return text
    if list(hours) != list(range(hours[0], hours[-1] + 1)):
        return None
    span = {"every": text, "first": phrases.clock(hours[0], 0), "last": phrases.clock(hours[-1], last_minute)}
    return _("%(every)s from %(first)s to %(last)s") % span


def _times_of_day(rule: CronRule) -> str | None:
    hours, minutes = rule.hours, rule.minutes
    if rule.seconds == (0,) and len(minutes) == 1 and len(hours) > 2 and hours == tuple(range(hours[0], hours[-1] + 1)):
        span = {"first": phrases.clock(hours[0], minutes[0]), "last": phrases.clock(hours[-1], minutes[0])}
        return _("every hour from %(first)s to %(last)s") % span
    return phrases.at_times(hours, minutes, rule.seconds)


def _days(days: CronDays) -> str | None:
    months = () if days.months == EVERY_MONTH else days.months
    if days.nearest is not None:
        if days.weekdays is not None or months:
            return None
        return _("on the working day nearest to day %(day)s of the month") % {"day": days.nearest}
    if days.weekdays is None and days.monthdays is None:
        return _("every day in %(months)s") % {"months": phrases.months(months)}
    if days.weekdays is not None and days.monthdays is not None:
        return _either(days) if not months and not days.both else None
    if days.monthdays is not None:
        return phrases.on_monthdays(days.monthdays, months) if len(days.monthdays) <= phrases.MANY else None
    return phrases.on_weekdays(days.weekdays or (), months)


def _either(days: CronDays) -> str | None:
    monthdays, weekdays = phrases.on_monthdays(days.monthdays or ()), phrases.on_weekdays(days.weekdays or ())
    if monthdays is None or weekdays is None or len(days.monthdays or ()) > phrases.MANY:
        return None
    return _("%(monthdays)s, and %(weekdays)s") % {"monthdays": monthdays, "weekdays": weekdays}


def rule_words(frequency: str, params: Params, start: dt.datetime) -> str | None:
    text = phrases.every(frequency, params.interval)
    if params.bysetpos or params.byyearday or params.byweekno or params.byeaster or params.wkst:
        return None
    if frequency in UNIT_SECONDS:
        return _within_rule(text, params)
    if params.byweekday and params.bymonthday:
        return None
    times = phrases.at_times(
        params.byhour or (start.hour,), params.byminute or (start.minute,), params.bysecond or (start.second,)
    )
    days = _rule_days(frequency, params, start)
    if times is None or days is None:
        return None
    return (
        _("%(every)s %(days)s %(times)s") % {"every": text, "days": days, "times": times} if days else f"{text} {times}"
    )


def _within_rule(text: str, params: Params) -> str | None:
    if params.bymonth or params.bymonthday or params.byweekday or params.byminute or params.bysecond:
        return None
    if not params.byhour:
        return text
    return _("%(every)s in the hours %(hours)s") % {"every": text, "hours": phrases.listed(params.byhour)}


def _rule_days(frequency: str, params: Params, start: dt.datetime) -> str | None:
    """An empty text where there is nothing to say."""
    months = params.bymonth
    if params.byweekday:
        counted = any(nth for _day, nth in params.byweekday)
        return (
            None
            if frequency == Frequency.YEARLY and counted and not months
            else phrases.on_weekdays(params.byweekday, months)
        )
    if params.bymonthday:
        return phrases.on_monthdays(params.bymonthday, months) if len(params.bymonthday) <= phrases.MANY else None
    if frequency == Frequency.YEARLY:
        return phrases.on_monthdays((start.day,), months or (start.month,))
    if frequency == Frequency.MONTHLY:
        return phrases.on_monthdays((start.day,), months)
    if frequency == Frequency.WEEKLY:
        return phrases.on_weekdays(((start.weekday(), 0),), months)
    return _("in %(months)s") % {"months": phrases.months(months)} if months else ""
