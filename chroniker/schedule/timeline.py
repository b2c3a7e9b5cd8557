"""A schedule's instants: the pure functions that everything else stands on. Text and datetimes in, datetimes out."""

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
from chroniker.schedule.clock_rule import UNIT_SECONDS, ClockRule
from chroniker.schedule.cron_rule import cron_rule
from chroniker.schedule.rrule_params import Params, parse
from chroniker.schedule.spec import DstFold, DstGap, Frequency, Spec
from chroniker.schedule.zones import SECOND, offset_at, zone

#: What an rrule frequency counts from when the schedule has no ``starts_at``: a Monday, and the first of everything.
DEFAULT_ANCHOR = dt.datetime(2001, 1, 1)


class Timeline(Protocol):
    """Instants as UTC without tzinfo, before ``starts_at`` and ``ends_at`` are applied."""

    def after(self, moment: dt.datetime) -> dt.datetime | None: ...

    def until(self, moment: dt.datetime) -> dt.datetime | None: ...


@dataclass(frozen=True, slots=True)
class OnWall:
    """A rule of wall-clock time, carried over to UTC."""

    rule: dst.WallRule
    zone: ZoneInfo
    policy: dst.Policy

    def after(self, moment: dt.datetime) -> dt.datetime | None:
        return dst.after(self.rule, self.zone, self.policy, moment)

    def until(self, moment: dt.datetime) -> dt.datetime | None:
        return dst.until(self.rule, self.zone, self.policy, moment)


@dataclass(frozen=True, slots=True)
class Elapsed:
    """Every so many seconds of real time since the anchor, whatever clocks show."""

    anchor: dt.datetime
    step: dt.timedelta
    count: int | None

    def after(self, moment: dt.datetime) -> dt.datetime | None:
        return self._at(max(0, (moment - self.anchor) // self.step + 1))

    def until(self, moment: dt.datetime) -> dt.datetime | None:
        steps = (moment - self.anchor) // self.step
        return self._at(steps if self.count is None else min(steps, self.count - 1))

    def _at(self, steps: int) -> dt.datetime | None:
        if steps < 0 or (self.count is not None and steps >= self.count):
            return None
        return self.anchor + steps * self.step


@dataclass(frozen=True, slots=True)
class Once:
    at: dt.datetime

    def after(self, moment: dt.datetime) -> dt.datetime | None:
        return self.at if self.at > moment else None

    def until(self, moment: dt.datetime) -> dt.datetime | None:
        return self.at if self.at <= moment else None


def validate(spec: Spec) -> None:
    """Raises ``ScheduleError``, with the field's name, for anything that ``next_after`` could trip over.

    A schedule whose time has passed is valid; one that can never fire is not.
    """
    span = bounded(spec)
    if span.first > span.last:
        raise ScheduleError("ends_at", _("The end lies before the beginning: nothing would ever run."))


def next_after(spec: Spec, instant: dt.datetime) -> dt.datetime | None:
    """The first instant strictly later than ``instant``, in UTC; None: there is none, ever again.

    Raises ``ScheduleError`` when the schedule is not valid. A schedule counts as over when its next instant would
    lie more than a hundred years ahead. No instant lies before 1970.
    """
    span = bounded(spec)
    found = span.timeline.after(max(_naive(instant), span.first - dst.TICK))
    return found.replace(tzinfo=dt.UTC) if found is not None and found <= span.last else None


def latest_until(spec: Spec, instant: dt.datetime) -> dt.datetime | None:
    """The last instant that is not later than ``instant``, in UTC; None: there is none. As cheap after years as after
    seconds; the instants are the same as those of ``next_after``."""
    span = bounded(spec)
    found = span.timeline.until(min(_naive(instant), span.last))
    return found.replace(tzinfo=dt.UTC) if found is not None and found >= span.first else None


class Bounded(NamedTuple):
    timeline: Timeline
    first: dt.datetime
    last: dt.datetime


@lru_cache(maxsize=8192)
def bounded(spec: Spec) -> Bounded:
    """The parsed schedule. Raises ``ScheduleError`` when it is not valid."""
    first = dst.BEGINNING if spec.starts_at is None else _whole(_moment("starts_at", spec.starts_at))
    last = dst.END - dst.TICK if spec.ends_at is None else _moment("ends_at", spec.ends_at)
    return Bounded(timeline_of(spec), first, last)


def timeline_of(spec: Spec) -> Timeline:
    where, policy = zone(spec.timezone), _policy(spec.dst_gap, spec.dst_fold)
    if spec.frequency == Frequency.ONCE:
        if spec.run_at is None:
            raise ScheduleError("run_at", _("A schedule that fires once needs the moment at which it does."))
        return Once(_moment("run_at", spec.run_at))
    if spec.frequency == Frequency.CRON:
        rule: dst.WallRule = cron_rule(spec.cron)
        return OnWall(rule, where, dst.REAL_TIME if rule.by_interval else policy)
    if spec.frequency not in Frequency.values:
        known = ", ".join(Frequency.values)
        raise ScheduleError(
            "frequency", _("“%(name)s” is no frequency; there is %(known)s.") % {"name": spec.frequency, "known": known}
        )
    start = None if spec.starts_at is None else _whole(_moment("starts_at", spec.starts_at))
    return _recurring(str(spec.frequency), spec.params, where, start, policy)


@lru_cache(maxsize=64)
def _policy(gap: str, fold: str) -> dst.Policy:
    for field, value, known in (("dst_gap", gap, DstGap.values), ("dst_fold", fold, DstFold.values)):
        if value not in known:
            raise ScheduleError(
                field, _("“%(value)s” is not one of %(known)s.") % {"value": value, "known": ", ".join(known)}
            )
    return dst.Policy(str(gap), str(fold))


@lru_cache(maxsize=4096)
def _recurring(frequency: str, text: str, where: ZoneInfo, start: dt.datetime | None, policy: dst.Policy) -> Timeline:
    params = _params(frequency, text)
    if params.count is not None and start is None:
        raise ScheduleError("starts_at", _("“count” needs a start to count from."))
    if frequency in UNIT_SECONDS and params.only_counts:
        step = dt.timedelta(seconds=UNIT_SECONDS[Frequency(frequency)] * params.interval)
        return Elapsed(start or DEFAULT_ANCHOR - offset_at(where, DEFAULT_ANCHOR), step, params.count)
    anchor = DEFAULT_ANCHOR if start is None else start + offset_at(where, start)
    rule = (ClockRule if frequency in UNIT_SECONDS else CalendarRule)(frequency, params, anchor)
    rule.stop_after_count()
    if rule.at_or_after(anchor) is None:
        raise ScheduleError(
            "params",
            _("“%(text)s” never fires, counted from its start. “interval:2;byhour:7,8” would.") % {"text": text},
        )
    return OnWall(rule, where, dst.REAL_TIME if rule.by_interval else policy)


@lru_cache(maxsize=4096)
def _params(frequency: str, text: str) -> Params:
    return parse(frequency, text)


def _moment(field: str, value: dt.datetime) -> dt.datetime:
    if value.tzinfo is None:
        raise ScheduleError(
            field, _("“%(value)s” has no time zone; write it like 2026-03-29T02:30+01:00.") % {"value": value}
        )
    if not dst.BEGINNING.year <= value.year < dst.END.year:
        raise ScheduleError(field, _("“%(value)s” lies outside the years 1970 to 8999.") % {"value": value})
    return _naive(value)


def _naive(value: dt.datetime) -> dt.datetime:
    """The same moment as UTC without tzinfo; what lies outside all timelines is moved to their edge."""
    if value.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    if not dst.BEGINNING.year <= value.year < dst.END.year:
        return dst.BEGINNING - SECOND if value.year < dst.BEGINNING.year else dst.END
    return value.astimezone(dt.UTC).replace(tzinfo=None)


def _whole(moment: dt.datetime) -> dt.datetime:
    return moment.replace(microsecond=0)
