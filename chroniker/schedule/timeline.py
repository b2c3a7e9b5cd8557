"""Computes the instants of a schedule. Pure functions of text and datetimes."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, Protocol
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from chroniker.exceptions import ScheduleError
from chroniker.schedule import dst
from chroniker.schedule.calendar_rule import CalendarRule
from chroniker.schedule.clock_rule import UNIT_SECONDS, SubdailyRule
from chroniker.schedule.cron_rule import parse_cron_rule
from chroniker.schedule.rrule_params import RecurrenceParams, parse_recurrence_params
from chroniker.schedule.spec import DstFold, DstGap, Frequency, ScheduleSpec
from chroniker.schedule.zones import SECOND, offset_at, zone

#: Anchor of recurrence rules without ``starts_at``: a Monday, and the first day of a month and a year.
DEFAULT_ANCHOR = dt.datetime(2001, 1, 1)


class Timeline(Protocol):
    """Instants as UTC without tzinfo, before ``starts_at`` and ``ends_at`` are applied."""

    def first_instant_after(self, moment: dt.datetime) -> dt.datetime | None: ...

    def last_instant_until(self, moment: dt.datetime) -> dt.datetime | None: ...


@dataclass(frozen=True, slots=True)
class WallClockTimeline:
    """A rule in wall-clock time, converted to UTC."""

    rule: dst.WallRule
    zone: ZoneInfo
    policy: dst.ClockChangePolicy

    def first_instant_after(self, moment: dt.datetime) -> dt.datetime | None:
        return dst.first_instant_after(self.rule, self.zone, self.policy, moment)

    def last_instant_until(self, moment: dt.datetime) -> dt.datetime | None:
        return dst.last_instant_until(self.rule, self.zone, self.policy, moment)


@dataclass(frozen=True, slots=True)
class IntervalTimeline:
    """Fires at a fixed interval of real time from the anchor, independent of the wall clock."""

    anchor: dt.datetime
    step: dt.timedelta
    count: int | None

    def first_instant_after(self, moment: dt.datetime) -> dt.datetime | None:
        return self._moment_after(max(0, (moment - self.anchor) // self.step + 1))

    def last_instant_until(self, moment: dt.datetime) -> dt.datetime | None:
        steps = (moment - self.anchor) // self.step
        return self._moment_after(steps if self.count is None else min(steps, self.count - 1))

    def _moment_after(self, steps: int) -> dt.datetime | None:
        if steps < 0 or (self.count is not None and steps >= self.count):
            return None
        return self.anchor + steps * self.step


@dataclass(frozen=True, slots=True)
class OnceTimeline:
    at: dt.datetime

    def first_instant_after(self, moment: dt.datetime) -> dt.datetime | None:
        return self.at if self.at > moment else None

    def last_instant_until(self, moment: dt.datetime) -> dt.datetime | None:
        return self.at if self.at <= moment else None


@dataclass(frozen=True, slots=True)
class EmptyTimeline:
    """Has no instants: the job is started by something else than a schedule."""

    def first_instant_after(self, moment: dt.datetime) -> dt.datetime | None:
        return None

    def last_instant_until(self, moment: dt.datetime) -> dt.datetime | None:
        return None


def validate_schedule(spec: ScheduleSpec) -> None:
    """Raises ``ScheduleError`` with the name of the invalid field. With a valid schedule, ``next_instant_after`` never
    raises.

    A schedule whose last instant has passed is valid. A schedule that can never fire is invalid, unless it is MANUAL.
    """
    span = parse_schedule(spec)
    if span.start_limit > span.end_limit:
        raise ScheduleError("ends_at", _("The end is before the start, so the schedule never fires."))


def next_instant_after(spec: ScheduleSpec, instant: dt.datetime) -> dt.datetime | None:
    """The first instant later than ``instant``, in UTC, or None if there is none.

    Raises ``ScheduleError`` if the schedule is not valid. Instants more than a hundred years ahead are not found. No
    instant is earlier than 1970.
    """
    span = parse_schedule(spec)
    found = span.timeline.first_instant_after(max(_to_naive_utc(instant), span.start_limit - dst.MICROSECOND))
    return found.replace(tzinfo=dt.UTC) if found is not None and found <= span.end_limit else None


def latest_instant_until(spec: ScheduleSpec, instant: dt.datetime) -> dt.datetime | None:
    """The last instant that is not later than ``instant``, in UTC, or None if there is none.

    The cost does not depend on the age of the schedule. Finds the same instants as ``next_instant_after``.
    """
    span = parse_schedule(spec)
    found = span.timeline.last_instant_until(min(_to_naive_utc(instant), span.end_limit))
    return found.replace(tzinfo=dt.UTC) if found is not None and found >= span.start_limit else None


class ParsedSchedule(NamedTuple):
    timeline: Timeline
    start_limit: dt.datetime
    end_limit: dt.datetime


@lru_cache(maxsize=8192)
def parse_schedule(spec: ScheduleSpec) -> ParsedSchedule:
    """The parsed schedule and its limits. Raises ``ScheduleError`` if it is not valid."""
    start_limit, end_limit = _start_moment(spec) or dst.INSTANT_RANGE_START, dst.INSTANT_RANGE_END - dst.MICROSECOND
    if spec.ends_at is not None:
        end_limit = _validate_moment("ends_at", spec.ends_at)
    return ParsedSchedule(make_timeline(spec), start_limit, end_limit)


def make_timeline(spec: ScheduleSpec) -> Timeline:
    """The instants of the schedule without its limits. Raises ``ScheduleError`` if it is not valid."""
    tz, policy = zone(spec.timezone), _make_policy(spec.dst_gap, spec.dst_fold)
    if spec.frequency == Frequency.ONCE:
        if spec.run_at is None:
            raise ScheduleError("run_at", _("A schedule that runs once needs the date and time of its run."))
        return OnceTimeline(_validate_moment("run_at", spec.run_at))
    if spec.frequency == Frequency.MANUAL:
        return EmptyTimeline()
    if spec.frequency == Frequency.CRON:
        rule: dst.WallRule = parse_cron_rule(spec.cron)
        return WallClockTimeline(rule, tz, dst.REAL_TIME_POLICY if rule.by_interval else policy)
    if spec.frequency not in Frequency.values:
        message = _("“%(name)s” is not a frequency. Choose one of %(known)s.")
        raise ScheduleError("frequency", message % {"name": spec.frequency, "known": ", ".join(Frequency.values)})
    return _recurring_timeline(str(spec.frequency), spec.params, tz, _start_moment(spec), policy)


@lru_cache(maxsize=64)
def _make_policy(gap: str, fold: str) -> dst.ClockChangePolicy:
    for field, value, known in (("dst_gap", gap, DstGap.values), ("dst_fold", fold, DstFold.values)):
        if value not in known:
            raise ScheduleError(
                field, _("“%(value)s” is not one of %(known)s.") % {"value": value, "known": ", ".join(known)}
            )
    return dst.ClockChangePolicy(str(gap), str(fold))


@lru_cache(maxsize=4096)
def _recurring_timeline(
    frequency: str, text: str, tz: ZoneInfo, start: dt.datetime | None, policy: dst.ClockChangePolicy
) -> Timeline:
    params = _parse_params_cached(frequency, text)
    if params.count is not None and start is None:
        raise ScheduleError("starts_at", _("“count” needs a start date to count from."))
    if frequency in UNIT_SECONDS and params.has_no_conditions:
        step = dt.timedelta(seconds=UNIT_SECONDS[Frequency(frequency)] * params.interval)
        return IntervalTimeline(start or DEFAULT_ANCHOR - offset_at(tz, DEFAULT_ANCHOR), step, params.count)
    anchor = DEFAULT_ANCHOR if start is None else start + offset_at(tz, start)
    rule = (SubdailyRule if frequency in UNIT_SECONDS else CalendarRule)(frequency, params, anchor)
    rule.set_last_time_from_count()
    if rule.first_at_or_after(anchor) is None:
        raise ScheduleError(
            "params",
            _("“%(text)s” never fires after the schedule's start. Write it for example as “interval:2;byhour:7,8”.")
            % {"text": text},
        )
    return WallClockTimeline(rule, tz, dst.REAL_TIME_POLICY if rule.by_interval else policy)


@lru_cache(maxsize=4096)
def _parse_params_cached(frequency: str, text: str) -> RecurrenceParams:
    return parse_recurrence_params(frequency, text)


def _start_moment(spec: ScheduleSpec) -> dt.datetime | None:
    return None if spec.starts_at is None else _validate_moment("starts_at", spec.starts_at).replace(microsecond=0)


def _validate_moment(field: str, value: dt.datetime) -> dt.datetime:
    if value.tzinfo is None:
        raise ScheduleError(
            field, _("“%(value)s” has no time zone; write it like 2026-03-29T02:30+01:00.") % {"value": value}
        )
    if not dst.INSTANT_RANGE_START.year <= value.year < dst.INSTANT_RANGE_END.year:
        raise ScheduleError(field, _("“%(value)s” is outside the years 1970 to 8999.") % {"value": value})
    return _to_naive_utc(value)


def _to_naive_utc(value: dt.datetime) -> dt.datetime:
    """The same moment in UTC without tzinfo, limited to the range of all instants."""
    if value.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    if not dst.INSTANT_RANGE_START.year <= value.year < dst.INSTANT_RANGE_END.year:
        return dst.INSTANT_RANGE_START - SECOND if value.year < dst.INSTANT_RANGE_START.year else dst.INSTANT_RANGE_END
    return value.astimezone(dt.UTC).replace(tzinfo=None)
