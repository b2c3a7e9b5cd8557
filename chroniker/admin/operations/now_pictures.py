"""The pictures of the start page: the positions of their bars."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from chroniker.insights.day_counts import HALF_HOUR, DayCounts
from chroniker.insights.next_hour import MINUTES_AHEAD, NextHour
from chroniker.wording.formats import short_time

PICTURE_WIDTH = 384
#: The greatest height of a bar above the line, of a bar below it, and of a bar of the next hour.
MAX_HEIGHT_ABOVE, MAX_HEIGHT_BELOW, MAX_HOUR_BAR_HEIGHT = 54, 14, 40


def draw_last_day_bars(counts: DayCounts) -> list[dict[str, Any]]:
    """The bars of each half hour: successful runs above the line, and runs that ended badly below it."""
    step = PICTURE_WIDTH / len(counts.parts)
    most = max((part.succeeded for part in counts.parts), default=0) or 1
    worst = max((part.bad for part in counts.parts), default=0) or 1
    return [
        {
            "x": round(step * index, 1),
            "inner": round(step * index + 1, 1),
            "step": round(step, 1),
            "width": round(step - 2, 1),
            "good": _bar_height(part.succeeded, most, MAX_HEIGHT_ABOVE),
            "good_y": MAX_HEIGHT_ABOVE - _bar_height(part.succeeded, most, MAX_HEIGHT_ABOVE),
            "bad": _bar_height(part.bad, worst, MAX_HEIGHT_BELOW),
            "say": _half_hour_text(part.start, part.succeeded, part.bad),
        }
        for index, part in enumerate(counts.parts)
    ]


def _bar_height(value: int, max_value: int, max_height: int) -> int:
    """The height of the bar: at least 2 for a value above zero, because a single failure must be visible."""
    return max(round(max_height * value / max_value), 2) if value else 0


def _half_hour_text(start: dt.datetime, succeeded: int, failed: int) -> str:
    end = timezone.localtime(start + HALF_HOUR)
    words = {"low": short_time(start), "high": f"{end:%H:%M}", "good": succeeded, "bad": failed}
    return _("%(low)s to %(high)s: %(good)d succeeded, %(bad)d failed") % words


def draw_next_hour_bars(coming_hour: NextHour, now: dt.datetime) -> list[dict[str, Any]]:
    """One bar for each minute in which runs are due."""
    step, most = PICTURE_WIDTH / MINUTES_AHEAD, max(coming_hour.start_counts_by_minute) or 1
    return [
        {
            "x": round(step * index, 1),
            "y": MAX_HOUR_BAR_HEIGHT - _bar_height(count, most, MAX_HOUR_BAR_HEIGHT),
            "width": round(step - 2, 1),
            "height": _bar_height(count, most, MAX_HOUR_BAR_HEIGHT),
            "say": ngettext("%(time)s: %(n)d run", "%(time)s: %(n)d runs", count)
            % {"time": f"{timezone.localtime(now + dt.timedelta(minutes=index)):%H:%M}", "n": count},
        }
        for index, count in enumerate(coming_hour.start_counts_by_minute)
        if count
    ]
