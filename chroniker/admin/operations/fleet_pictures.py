"""The pictures of the fleet: passes of the tick, slots of a worker, the clock of a host."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from chroniker.eligibility.hosts import CLOCK_SKEW_WARNING_SECONDS
from chroniker.insights.tick_history import MINUTES_SHOWN, MinuteOfTicks, TickHistory, find_gaps_without_pass
from chroniker.wording.formats import short_duration

PICTURE_WIDTH, PICTURE_HEIGHT = 1120, 50
MINUTE_WIDTH = PICTURE_WIDTH / MINUTES_SHOWN
#: A worker with more slots gets no picture, only numbers.
MAX_DRAWN_SLOTS = 32
CLOCK_LINE_WIDTH = 120
#: A bar is marked and cut off if its pass took longer than this factor times the usual time.
MAX_BAR_TO_USUAL_RATIO = 3


def draw_ticks(history: TickHistory) -> dict[str, Any]:
    """A bar for each minute with a pass of the tick, and a frame for each gap without one.

    A bar that is much higher than usual is cut off.
    """
    usual = history.pass_p95_seconds or 0.0
    tall = max((minute.longest_pass_seconds or 0.0 for minute in history.minutes), default=0.0)
    tall = min(tall, MAX_BAR_TO_USUAL_RATIO * usual) or 1.0
    bars = [
        {
            "x": round(MINUTE_WIDTH * index, 1),
            "width": round(MINUTE_WIDTH - 3, 1),
            "y": PICTURE_HEIGHT - height,
            "height": height,
            "tone": "wait" if minute.longest_pass_seconds > tall else "busy",
            "say": _minute_text(minute),
        }
        for index, minute in enumerate(history.minutes)
        if minute.longest_pass_seconds is not None and (height := _bar_height(minute.longest_pass_seconds / tall))
    ]
    frames = [
        {
            "x": round(MINUTE_WIDTH * first, 1),
            "width": round(MINUTE_WIDTH * count - 3, 1),
            "say": _tick_gap_text(history, first, count),
        }
        for first, count in find_gaps_without_pass(history)
    ]
    return {"bars": bars, "frames": frames, "n_gaps": len(frames)}


def _bar_height(share: float) -> int:
    return max(round((PICTURE_HEIGHT - 6) * min(share, 1.0)), 2)


def _minute_text(minute: MinuteOfTicks) -> str:
    words = {"time": f"{timezone.localtime(minute.start):%H:%M}", "took": short_duration(minute.longest_pass_seconds)}
    return _("%(time)s: the longest tick took %(took)s; runs claimed: %(n)d") % {**words, "n": minute.claimed}


def _tick_gap_text(history: TickHistory, first_minute: int, minute_count: int) -> str:
    words = {"time": f"{timezone.localtime(history.minutes[first_minute].start):%H:%M}", "n": minute_count}
    return _("from %(time)s: no tick for %(n)d min") % words


def draw_slots(slots: int | None, busy_slots: int | None) -> dict[str, Any]:
    """``boxes``: one box for each slot, with its position and whether it is busy. Empty if unknown or too many."""
    if slots is None or busy_slots is None:
        return {"boxes": [], "text": _("unknown")}
    boxes = (
        [{"x": 13 * index + 0.5, "used": index < busy_slots} for index in range(slots)]
        if slots <= MAX_DRAWN_SLOTS
        else []
    )
    return {
        "boxes": boxes,
        "width": 13 * slots,
        "text": _("%(busy)d of %(slots)d") % {"busy": busy_slots, "slots": slots},
    }


def draw_clock_skew(skew_seconds: float | None) -> dict[str, Any]:
    """A point on a line of one second to each side of zero. A larger skew is drawn at the end of the line."""
    if skew_seconds is None:
        return {"text": _("unknown"), "tone": "wait", "x": None}
    place = round(CLOCK_LINE_WIDTH / 2 + max(-1.0, min(1.0, skew_seconds)) * (CLOCK_LINE_WIDTH / 2 - 6), 1)
    tone = (
        "bad"
        if abs(skew_seconds) > CLOCK_SKEW_WARNING_SECONDS
        else "wait"
        if abs(skew_seconds) > CLOCK_SKEW_WARNING_SECONDS / 4
        else "good"
    )
    text = f"{skew_seconds:+.2f}" if round(skew_seconds, 2) else "0.00"
    return {"text": _("%(skew)s s") % {"skew": text}, "tone": tone, "x": place}
