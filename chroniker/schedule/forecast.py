"""The next instants of a schedule, and the effects of the next clock changes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from django.utils.translation import gettext as _

from chroniker.schedule import phrases
from chroniker.schedule.spec import DstFold, DstGap, ScheduleSpec
from chroniker.schedule.timeline import IntervalTimeline, WallClockTimeline, next_instant_after, parse_schedule
from chroniker.schedule.zones import SECOND, OffsetPeriod, offset_periods, zone

FORECAST_RANGE = dt.timedelta(days=366)
MAX_TIMES_SHOWN = 4


def next_instants(spec: ScheduleSpec, now: dt.datetime, count: int) -> list[dt.datetime]:
    """The next ``count`` instants after ``now``; fewer if the schedule ends."""
    instants: list[dt.datetime] = []
    following = next_instant_after(spec, now)
    while following is not None and len(instants) < count:
        instants.append(following)
        following = next_instant_after(spec, following)
    return instants


def clock_change_notes(spec: ScheduleSpec, now: dt.datetime) -> list[str]:
    """One sentence for each clock change within a year that affects this schedule."""
    timeline, first, last = parse_schedule(spec)
    begin = max(now.astimezone(dt.UTC).replace(tzinfo=None), first)
    notes = []
    for change in _clock_changes(spec, begin, min(begin + FORECAST_RANGE, last)):
        if isinstance(timeline, WallClockTimeline):
            note = _gap_note(timeline, change) if change.offset_after > change.offset else _fold_note(timeline, change)
        else:
            note = _shift_note(timeline, change) if isinstance(timeline, IntervalTimeline) else None
        if note:
            notes.append(note)
    return notes


def _clock_changes(spec: ScheduleSpec, begin: dt.datetime, end: dt.datetime) -> Iterator[OffsetPeriod]:
    """The periods of constant offset that end with a clock change between these moments."""
    for year in range(begin.year, end.year + 1):
        for period in offset_periods(zone(spec.timezone), year):
            if begin < period.end <= end and period.offset_after != period.offset:
                yield period


@dataclass(frozen=True, slots=True)
class _AffectedTimes:
    """The wall-clock times of a rule from ``low`` to ``high`` (excluded), which are the ends of a gap or a fold."""

    times: list[dt.datetime]
    low: dt.datetime
    high: dt.datetime

    @classmethod
    def between(cls, timeline: WallClockTimeline, low: dt.datetime, high: dt.datetime) -> _AffectedTimes | None:
        times: list[dt.datetime] = []
        wall_time = timeline.rule.first_at_or_after(low)
        while wall_time is not None and wall_time < high and len(times) <= MAX_TIMES_SHOWN:
            times.append(wall_time)
            wall_time = timeline.rule.first_at_or_after(wall_time + SECOND)
        return cls(times, low, high) if times else None

    def message_values(self) -> dict[str, str]:
        shown = [
            phrases.format_clock_time(wall_time.hour, wall_time.minute, wall_time.second) for wall_time in self.times
        ]
        if len(shown) > MAX_TIMES_SHOWN:
            shown[MAX_TIMES_SHOWN:] = ["…"]
        return {
            "date": str(self.low.date()),
            "low": self._edge_text(self.low),
            "high": self._edge_text(self.high),
            "times": ", ".join(shown),
        }

    def _edge_text(self, wall_time: dt.datetime) -> str:
        one_day = self.low.date() == self.high.date()
        return (
            phrases.format_clock_time(wall_time.hour, wall_time.minute, wall_time.second)
            if one_day
            else phrases.format_date_and_time(wall_time)
        )


def _gap_note(timeline: WallClockTimeline, change: OffsetPeriod) -> str | None:
    affected = _AffectedTimes.between(timeline, change.end + change.offset, change.end + change.offset_after)
    if affected is None:
        return None
    if timeline.rule.by_interval:
        if _keeps_its_interval(timeline, affected):
            text = _("%(jump)s. This schedule follows real time, so no run is left out.")
        else:
            text = _(
                "%(jump)s. This schedule follows real time, so the job does not run for the skipped times (%(times)s)."
            )
    elif timeline.policy.gap == DstGap.RUN:
        text = _("%(jump)s. For the skipped times (%(times)s), the job runs once, at %(high)s.")
    else:
        text = _("%(jump)s. The job does not run for the skipped times (%(times)s).")
    texts = affected.message_values()
    return text % {**texts, "jump": _("On %(date)s the clock jumps from %(low)s to %(high)s") % texts}


def _keeps_its_interval(timeline: WallClockTimeline, affected: _AffectedTimes) -> bool:
    """Whether the real time between the runs before and after the gap is not longer than usual."""
    rule = timeline.rule
    previous, following = rule.last_before(affected.low), rule.first_at_or_after(affected.high)
    if previous is None or following is None:
        return False
    usual = affected.times[0] - previous
    return (affected.low - previous) + (following - affected.high) <= usual


def _fold_note(timeline: WallClockTimeline, change: OffsetPeriod) -> str | None:
    affected = _AffectedTimes.between(timeline, change.end + change.offset_after, change.end + change.offset)
    if affected is None:
        return None
    texts = {
        DstFold.FIRST: _("%(twice)s. For times in this period (%(times)s), the job runs only at the first occurrence."),
        DstFold.SECOND: _(
            "%(twice)s. For times in this period (%(times)s), the job runs only at the second occurrence."
        ),
        DstFold.BOTH: _("%(twice)s. For times in this period (%(times)s), the job runs at both occurrences."),
    }
    text = texts[DstFold(timeline.policy.fold)]
    if timeline.rule.by_interval:
        text = _(
            "%(twice)s. This schedule follows real time, so for times in this period (%(times)s) the job runs at "
            "both occurrences."
        )
    values = affected.message_values()
    return text % {**values, "twice": _("On %(date)s the clock shows %(low)s to %(high)s twice") % values}


def _shift_note(timeline: IntervalTimeline, change: OffsetPeriod) -> str | None:
    """The note that the schedule's wall-clock times shift. None: the change is a multiple of the interval."""
    if not (change.offset_after - change.offset) % timeline.step:
        return None
    if change.offset_after > change.offset:
        text = _("On %(date)s the clock goes forward: from then on this schedule fires %(n)s minutes later.")
    else:
        text = _("On %(date)s the clock goes back: from then on this schedule fires %(n)s minutes earlier.")
    minutes = abs(change.offset_after - change.offset) // dt.timedelta(minutes=1)
    return text % {"date": (change.end + change.offset).date(), "n": minutes}
