"""Valid schedules that often mean something else than their author thinks."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.translation import gettext as _

from chroniker.exceptions import ScheduleError
from chroniker.schedule.cron_parser import FIELDS, SHORT_FIELDS, values_of
from chroniker.schedule.cron_rule import CronRule, cron_rule
from chroniker.schedule.rrule_params import parse
from chroniker.schedule.spec import Frequency, Spec
from chroniker.schedule.timeline import DEFAULT_ANCHOR, validate
from chroniker.schedule.zones import zone


def warnings(spec: Spec) -> list[str]:
    """Sentences to show beside a schedule's preview; none for one that is not valid: ``validate`` speaks of that."""
    try:
        validate(spec)
    except ScheduleError:
        return []
    if spec.frequency == Frequency.CRON:
        return list(_cron(cron_rule(spec.cron)))
    return list(_short_months(spec))


def _cron(rule: CronRule) -> Iterator[str]:
    for position, token in enumerate(rule.fields):
        for part in token.split(","):
            yield from _step(position, part)
    minute, hour = rule.fields[1:3]
    if minute == "*" and not hour.startswith("*"):
        yield _("“* %(hour)s” fires in every minute of the hour; for once an hour write “0 %(hour)s”.") % {"hour": hour}
    days = rule.days
    if days.weekdays is not None and days.monthdays is not None:
        if days.both:
            yield _("Of the day of the month and of the week, one starts with “*”: it fires where both match.")
        else:
            yield _("Day of the month and day of the week are both given: it fires where either matches.")
    elif days.monthdays and min(days.monthdays) > 28 and days.nearest is None:
        yield _without_day(min(days.monthdays)) + " " + _("For the last day of each month write “L”.")


def _step(position: int, part: str) -> Iterator[str]:
    start, slash, step = part.partition("/")
    if not slash:
        return
    field, values = FIELDS[position], values_of(position, part)
    if len(values) == 1:
        yield _("“%(part)s” means only %(field)s %(value)s, not a step.") % {
            "part": part,
            "field": field.name,
            "value": values[0],
        }
    elif start == "*" and position in SHORT_FIELDS and (field.high + 1) % int(step):
        left = field.high + 1 - int(values[-1])
        yield _("“%(part)s” begins anew at 0: after %(field)s %(last)s it is only %(left)d to the next.") % {
            "part": part,
            "field": field.name,
            "last": values[-1],
            "left": left,
        }


def _short_months(spec: Spec) -> Iterator[str]:
    if spec.frequency not in (Frequency.MONTHLY, Frequency.YEARLY):
        return
    params = parse(str(spec.frequency), spec.params)
    start = DEFAULT_ANCHOR if spec.starts_at is None else spec.starts_at.astimezone(zone(spec.timezone))
    days = params.bymonthday or (() if params.names_days else (start.day,))
    rare = spec.frequency == Frequency.MONTHLY or (params.bymonth or (start.month,)) == (2,)
    if days and rare and min(days) > 28:
        yield _without_day(min(days)) + " " + _("For the last day of the month write “bymonthday:-1”.")


def _without_day(day: int) -> str:
    return _("A month that has no day %(day)d is left out.") % {"day": day}
