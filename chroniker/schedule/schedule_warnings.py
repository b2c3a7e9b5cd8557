"""Warnings about valid schedules that often differ from what their author intended."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.translation import gettext as _

from chroniker.exceptions import ScheduleError
from chroniker.schedule.cron_parser import CRON_FIELDS, TIME_FIELD_POSITIONS, expand_part
from chroniker.schedule.cron_rule import CronDays, CronRule, parse_cron_rule
from chroniker.schedule.day_sets import RuleDays
from chroniker.schedule.rrule_params import parse_recurrence_params
from chroniker.schedule.spec import Frequency, ScheduleSpec
from chroniker.schedule.timeline import DEFAULT_ANCHOR, validate_schedule
from chroniker.schedule.zones import zone

LEAP_YEAR = 2000


def find_schedule_warnings(spec: ScheduleSpec) -> list[str]:
    """Sentences to show beside the preview. Empty for a schedule that is not valid; see ``validate_schedule``."""
    try:
        validate_schedule(spec)
    except ScheduleError:
        return []
    if spec.frequency == Frequency.CRON:
        return list(_cron_warnings(parse_cron_rule(spec.cron)))
    return list(_short_month_warnings(spec))


def _cron_warnings(rule: CronRule) -> Iterator[str]:
    for position, token in enumerate(rule.fields):
        for part in token.split(","):
            yield from _step_warnings(position, part)
    minute, hour = rule.fields[1:3]
    if len(rule.minutes) == 60 and not hour.startswith("*"):
        texts = {"minute": minute, "hour": hour}
        yield (
            _("“%(minute)s %(hour)s” fires in every minute of the hour; to fire once an hour, write “0 %(hour)s”.")
            % texts
        )
    yield from _day_warnings(rule.days)


def _day_warnings(days: CronDays) -> Iterator[str]:
    if days.weekdays is not None and days.monthdays is not None:
        if days.must_match_both:
            yield _(
                "The field for the day of the month or of the week begins with “*”: the schedule fires only on "
                "days that match both fields."
            )
        elif days.workday_nearest_to is None and not RuleDays(days.months, days.monthdays).day_mask(LEAP_YEAR):
            yield _(
                "None of the given months has day %(day)d: the schedule fires only on the given days of the week."
            ) % {"day": min(days.monthdays)}
        else:
            yield _(
                "Day of the month and day of the week are both given: the schedule fires on days that match either "
                "of them."
            )
    elif days.monthdays and min(days.monthdays) > 28 and days.workday_nearest_to is None:
        yield _skipped_months_message(min(days.monthdays)) + " " + _("For the last day of each month write “L”.")


def _step_warnings(position: int, part: str) -> Iterator[str]:
    start, slash, step = part.partition("/")
    if not slash:
        return
    field, values = CRON_FIELDS[position], expand_part(position, part)
    if values == ["*"]:
        return
    if len(values) == 1:
        texts = {"part": part, "field": field.name, "value": values[0]}
        yield _("“%(part)s” means only %(field)s %(value)s, not a step.") % texts
    elif start == "*" and position in TIME_FIELD_POSITIONS and (field.high + 1) % int(step):
        left = field.high + 1 - int(values[-1])
        yield _("“%(part)s” restarts at 0: the step after %(field)s %(last)s is only %(left)d.") % {
            "part": part,
            "field": field.name,
            "last": values[-1],
            "left": left,
        }


def _short_month_warnings(spec: ScheduleSpec) -> Iterator[str]:
    if spec.frequency not in (Frequency.MONTHLY, Frequency.YEARLY):
        return
    params = parse_recurrence_params(str(spec.frequency), spec.params)
    start = DEFAULT_ANCHOR if spec.starts_at is None else spec.starts_at.astimezone(zone(spec.timezone))
    days = params.bymonthday or (() if params.selects_days else (start.day,))
    may_skip = spec.frequency == Frequency.MONTHLY or (params.bymonth or (start.month,)) == (2,)
    if days and may_skip and min(days) > 28:
        yield _skipped_months_message(min(days)) + " " + _("For the last day of the month write “bymonthday:-1”.")


def _skipped_months_message(day: int) -> str:
    return _("Months without day %(day)d are skipped.") % {"day": day}
