"""What a schedule will do: its next instants, and what the next clock changes make of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from django.utils.translation import gettext as _

from chroniker.schedule import phrases
from chroniker.schedule.spec import DstFold, DstGap, Spec
from chroniker.schedule.timeline import Elapsed, OnWall, bounded, next_after
from chroniker.schedule.zones import SECOND, Stretch, stretches, zone

LOOK_AHEAD = dt.timedelta(days=366)
SHOWN = 4


def preview(spec: Spec, now: dt.datetime, n: int) -> list[dt.datetime]:
    """The next ``n`` instants after ``now``; fewer when the schedule ends."""
    instants: list[dt.datetime] = []
    following = next_after(spec, now)
    while following is not None and len(instants) < n:
        instants.append(following)
        following = next_after(spec, following)
    return instants


def dst_notes(spec: Spec, now: dt.datetime) -> list[str]:
    """One sentence on each clock change within a year that this schedule meets; none where it makes no difference."""
    timeline, first, last = bounded(spec)
    begin = max(now.astimezone(dt.UTC).replace(tzinfo=None), first)
    notes = []
    for change in _changes(spec, begin, min(begin + LOOK_AHEAD, last)):
        if isinstance(timeline, OnWall):
            note = _gap(timeline, change) if change.after > change.offset else _fold(timeline, change)
        else:
            note = _shift(timeline, change) if isinstance(timeline, Elapsed) else None
        if note:
            notes.append(note)
    return notes


def _changes(spec: Spec, begin: dt.datetime, end: dt.datetime) -> Iterator[Stretch]:
    """The stretches that end with a change of the clock between these moments."""
    for year in range(begin.year, end.year + 1):
        for stretch in stretches(zone(spec.timezone), year):
            if begin < stretch.end <= end and stretch.after != stretch.offset:
                yield stretch


def _gap(timeline: OnWall, change: Stretch) -> str | None:
    low, high = change.end + change.offset, change.end + change.after
    facts = _facts(timeline, low, high)
    if facts is None:
        return None
    if timeline.rule.by_interval:
        text = _("%(jump)s; this schedule follows real time, in which nothing lies between.")
    elif timeline.policy.gap == DstGap.RUN:
        text = _("%(jump)s: what is left out (%(times)s) runs once, at %(high)s.")
    else:
        text = _("%(jump)s: what is left out (%(times)s) does not run.")
    jump = _("On %(date)s the clock jumps from %(low)s to %(high)s") % facts
    return text % {**facts, "jump": jump}


def _fold(timeline: OnWall, change: Stretch) -> str | None:
    low, high = change.end + change.after, change.end + change.offset
    facts = _facts(timeline, low, high)
    if facts is None:
        return None
    texts = {
        DstFold.FIRST: _("%(twice)s: %(times)s runs the first time only."),
        DstFold.SECOND: _("%(twice)s: %(times)s runs the second time only."),
        DstFold.BOTH: _("%(twice)s: %(times)s runs both times."),
    }
    text = texts[DstFold(timeline.policy.fold)]
    if timeline.rule.by_interval:
        text = _("%(twice)s; this schedule follows real time and fires both times.")
    return text % {**facts, "twice": _("On %(date)s the clock shows %(low)s to %(high)s twice") % facts}


def _shift(timeline: Elapsed, change: Stretch) -> str | None:
    """A step of real time that does not divide the change moves against the clock on the wall."""
    if not (change.after - change.offset) % timeline.step:
        return None
    date = (change.end + change.offset).date()
    if change.after > change.offset:
        text = _(
            "On %(date)s the clock is put forward: by the clock, this schedule fires %(by)s minutes later from then on."
        )
    else:
        text = _(
            "On %(date)s the clock is put back: by the clock, this schedule fires %(by)s minutes earlier from then on."
        )
    return text % {"date": date, "by": abs(change.after - change.offset) // dt.timedelta(minutes=1)}


def _facts(timeline: OnWall, low: dt.datetime, high: dt.datetime) -> dict[str, str] | None:
    times: list[str] = []
    wall = timeline.rule.at_or_after(low)
    while wall is not None and wall < high and len(times) <= SHOWN:
        times.append(phrases.clock(wall.hour, wall.minute, wall.second) if len(times) < SHOWN else "…")
        wall = timeline.rule.at_or_after(wall + SECOND)
    if not times:
        return None
    same_day = low.date() == high.date()
    shown = [
        phrases.clock(edge.hour, edge.minute, edge.second) if same_day else phrases.moment(edge) for edge in (low, high)
    ]
    return {"date": str(low.date()), "low": shown[0], "high": shown[1], "times": ", ".join(times)}
