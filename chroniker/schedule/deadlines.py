"""Daily deadlines: “06:00” or “06:00 mon-fri”, in the time zone of a job. Pure functions of text and datetimes."""

from __future__ import annotations

import datetime as dt
import re
from typing import NamedTuple

from django.utils.translation import gettext as _

from chroniker.exceptions import ScheduleError
from chroniker.schedule.blackouts import ClosedTime, closed_time_at
from chroniker.schedule.spec import Frequency, ScheduleSpec
from chroniker.schedule.timeline import latest_instant_until, next_instant_after

_DEADLINE_PATTERN = re.compile(r"(?P<hour>[01]?\d|2[0-3]):(?P<minute>[0-5]\d)(?:\s+(?P<days>\S+))?\Z")
_MICROSECOND = dt.timedelta(microseconds=1)
#: The most instants in blackouts that are skipped to find an instant outside blackouts.
_MAX_SKIPPED_INSTANTS = 500


class Deadline(NamedTuple):
    """``at``: the latest deadline. ``instant``: the last instant whose run should have ended by then, if any."""

    at: dt.datetime
    instant: dt.datetime | None


def parse_deadline_schedule(text: str, timezone: str) -> ScheduleSpec:
    """Return the deadlines as a schedule. Raises ``ScheduleError`` if the text has another form."""
    form = _DEADLINE_PATTERN.match(text.strip())
    if form is None:
        raise ScheduleError(
            "alert_done_by", _("“%(text)s” is not a time of day. Write 06:00 or 06:00 mon-fri.") % {"text": text}
        )
    cron = f"{int(form['minute'])} {int(form['hour'])} * * {form['days'] or '*'}"
    spec = ScheduleSpec(Frequency.CRON, cron=cron, timezone=timezone)
    try:
        next_instant_after(spec, dt.datetime(2001, 1, 1, tzinfo=dt.UTC))
    except ScheduleError as error:
        raise ScheduleError("alert_done_by", str(error)) from error
    return spec


def next_deadline(text: str, timezone: str, after: dt.datetime) -> dt.datetime | None:
    return next_instant_after(parse_deadline_schedule(text, timezone), after)


def latest_deadline(text: str, spec: ScheduleSpec, closed_times: list[ClosedTime], now: dt.datetime) -> Deadline | None:
    """The latest deadline until ``now``, and the last instant of ``spec`` since the deadline before it.

    An instant at a deadline counts for the next one. Instants in blackouts do not count.
    """
    days = parse_deadline_schedule(text, spec.timezone)
    at = latest_instant_until(days, now)
    if at is None:
        return None
    before = latest_instant_until(days, at - _MICROSECOND)
    instant = latest_instant_until(spec, at - _MICROSECOND)
    for _each in range(_MAX_SKIPPED_INSTANTS):
        within = closed_time_at(closed_times, instant, spec.timezone) if closed_times and instant else None
        if within is None:
            break
        instant = latest_instant_until(spec, within.start - _MICROSECOND)
    if instant is not None and before is not None and instant < before:
        instant = None
    return Deadline(at, instant)
