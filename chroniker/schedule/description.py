"""Describes a schedule in words, for people who do not read cron expressions."""

from __future__ import annotations

import datetime as dt

from django.utils.translation import gettext as _

from chroniker.schedule import phrases
from chroniker.schedule.cron_description import describe_cron
from chroniker.schedule.cron_rule import parse_cron_rule
from chroniker.schedule.rrule_description import describe_recurrence
from chroniker.schedule.rrule_params import parse_recurrence_params
from chroniker.schedule.spec import Frequency, ScheduleSpec
from chroniker.schedule.timeline import DEFAULT_ANCHOR, validate_schedule
from chroniker.schedule.zones import zone


def describe_schedule(spec: ScheduleSpec) -> str:
    """The schedule in the active language: “at 03:00 every day (Europe/Paris)”.

    A rule without a simple description is quoted. Never raises: an invalid schedule is quoted and marked as invalid.
    """
    if spec.frequency == Frequency.MANUAL:
        return _("no schedule: started by hand or by a trigger")
    try:
        validate_schedule(spec)
        text = _append_start_and_end(spec, _rule_text(spec))
    except Exception:  # pages must show whatever is stored, even if no form would accept it
        text = _("“%(rule)s”, which is not a valid schedule") % {"rule": _quoted_rule(spec)}
    return _("%(rule)s (%(zone)s)") % {"rule": text, "zone": spec.timezone}


def _rule_text(spec: ScheduleSpec) -> str:
    if spec.frequency == Frequency.ONCE and spec.run_at is not None:
        return _("once at %(moment)s") % {"moment": _local_time_text(spec, spec.run_at)}
    if spec.frequency == Frequency.CRON:
        return describe_cron(parse_cron_rule(spec.cron)) or _("by the cron expression “%(cron)s”") % {
            "cron": spec.cron.strip()
        }
    start = DEFAULT_ANCHOR if spec.starts_at is None else spec.starts_at.astimezone(zone(spec.timezone))
    params = parse_recurrence_params(str(spec.frequency), spec.params)
    text = describe_recurrence(str(spec.frequency), params, start)
    if text is None:
        every = phrases.interval_phrase(str(spec.frequency), params.interval)
        text = _("%(every)s, by the rule “%(params)s”") % {"every": every, "params": spec.params.strip()}
    return (
        text
        if params.count is None
        else _("%(rule)s, scheduled times in total: %(n)d") % {"rule": text, "n": params.count}
    )


def _append_start_and_end(spec: ScheduleSpec, text: str) -> str:
    if spec.starts_at is not None and spec.frequency != Frequency.ONCE:
        text = _("%(rule)s, from %(moment)s") % {"rule": text, "moment": _local_time_text(spec, spec.starts_at)}
    if spec.ends_at is not None and spec.frequency != Frequency.ONCE:
        text = _("%(rule)s, until %(moment)s") % {"rule": text, "moment": _local_time_text(spec, spec.ends_at)}
    return text


def _local_time_text(spec: ScheduleSpec, value: dt.datetime) -> str:
    return phrases.format_date_and_time(value.astimezone(zone(spec.timezone)))


def _quoted_rule(spec: ScheduleSpec) -> str:
    parts = [spec.frequency, spec.cron if spec.frequency == Frequency.CRON else spec.params]
    return " ".join(str(part) for part in parts if part)
