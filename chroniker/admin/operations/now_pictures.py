"""The pictures of the start page, as positions of bars."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from chroniker.insights.day_counts import PART, DayCounts
from chroniker.insights.next_hour import MINUTES, NextHour
from chroniker.wording.formats import short_time

WIDTH = 384
#: Heights of the areas above and below the line, and of the picture of the next hour.
ABOVE, BELOW, HOUR = 54, 14, 40


def day_bars(counts: DayCounts) -> list[dict[str, Any]]:
    """One bar for each half hour: what succeeded above the line, what ended badly below it."""
    step = WIDTH / len(counts.parts)
    most = max((part.succeeded for part in counts.parts), default=0) or 1
    worst = max((part.bad for part in counts.parts), default=0) or 1
    return [
        {
            "x": round(step * index, 1),
            "inner": round(step * index + 1, 1),
            "step": round(step, 1),
            "width": round(step - 2, 1),
            "good": _height(part.succeeded, most, ABOVE),
            "good_y": ABOVE - _height(part.succeeded, most, ABOVE),
            "bad": _height(part.bad, worst, BELOW),
            "say": _part_text(part.start, part.succeeded, part.bad),
        }
        for index, part in enumerate(counts.parts)
    ]


def _height(value: int, most: int, room: int) -> int:
    """At least 2 for any value: a single failure must be visible."""
    return max(round(room * value / most), 2) if value else 0


def _part_text(start: dt.datetime, succeeded: int, bad: int) -> str:
    end = timezone.localtime(start + PART)
    words = {"low": short_time(start), "high": f"{end:%H:%M}", "good": succeeded, "bad": bad}
    return _("%(low)s to %(high)s: %(good)d succeeded, %(bad)d failed") % words


def hour_bars(found: NextHour, now: dt.datetime) -> list[dict[str, Any]]:
    """One bar for each minute with a start."""
    step, most = WIDTH / MINUTES, max(found.minutes) or 1
    return [
        {
            "x": round(step * index, 1),
            "y": HOUR - _height(count, most, HOUR),
            "width": round(step - 2, 1),
            "height": _height(count, most, HOUR),
            "say": ngettext("%(time)s: %(n)d run", "%(time)s: %(n)d runs", count)
            % {"time": f"{timezone.localtime(now + dt.timedelta(minutes=index)):%H:%M}", "n": count},
        }
        for index, count in enumerate(found.minutes)
        if count
    ]
