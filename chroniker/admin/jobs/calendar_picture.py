"""The calendar of a job's schedule history as a picture: one row a day, one cell a scheduled time or an hour."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from django.utils import timezone
from django.utils.dateformat import format as format_date
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from chroniker.admin.shared.site_links import admin_url
from chroniker.insights.run_calendar import HOUR, CalendarCell, CalendarDay, Mark
from chroniker.job_commands.secret_masking import mask_secrets

#: Pixels: the names of the days, the begin of the cells, an hour, a row, and the cells' least and greatest width.
NAMES, LEFT, HOUR_WIDTH, TOP, ROW, NARROWEST, WIDEST = 86, 8.0, 41.5, 16, 21, 3.0, 14.0
#: By mark: the class and the tone of its shape.
SHAPES = {
    Mark.FAILED: ("f cell", "bad"),
    Mark.OPEN: ("f cell", "busy"),
    Mark.DUE: ("soft", "wait"),
    Mark.MERGED: ("soft", "wait"),
    Mark.SUCCEEDED: ("f calm cell", "good"),
    Mark.STOPPED: ("f cell", "wait"),
    Mark.SKIPPED: ("f cell", "idle"),
    Mark.UNKNOWN: ("ghost", "idle"),
}


@dataclass(frozen=True, slots=True)
class Picture:
    """For the template: all numbers are pixels, as text."""

    names: int  #: the width of the names of the days, which stay while the rest scrolls
    width: str
    height: str
    hours: list[dict[str, str]]
    rows: list[dict[str, Any]]
    counts: list[tuple[Mark, int]]  #: in the order of marks
    pick: dict[str, str] | None  #: a frame around the requested time
    start_at: str  #: the part of its width that a narrow page shows first: the requested time, or the present


def picture(
    days: Sequence[CalendarDay],
    zone: ZoneInfo,
    now: dt.datetime,
    requested: dt.datetime | None = None,
    *,
    secrets: str = "",
) -> Picture:
    """``requested``: the scheduled time of the question, if it is in one of these days. ``secrets`` are masked."""
    longest = max((day.hours for day in days), default=24)
    width = _cell_width(days)
    total = LEFT + max(longest, 24) * HOUR_WIDTH + 8
    marked = [day for day in days if requested is not None and day.start <= requested < day.end]
    counts = Counter(cell.mark for day in days for cell in day.cells)
    return Picture(
        names=NAMES,
        width=_pixels(total),
        height=_pixels(TOP + len(days) * ROW),
        hours=[{"x": _pixels(LEFT + hour * HOUR_WIDTH), "text": f"{hour:02}"} for hour in range(0, 25, 3)],
        rows=[_row(day, n, width, zone, now, secrets) for n, day in enumerate(days)],
        counts=[(mark, counts[mark]) for mark in Mark if counts[mark]],
        pick=_requested_time_frame(days.index(marked[0]), marked[0], width, requested)
        if marked and requested
        else None,
        start_at=f"{_first_x(days, requested if marked else None, now) / total:.3f}",
    )


def _first_x(days: Sequence[CalendarDay], requested: dt.datetime | None, now: dt.datetime) -> float:
    """Of the requested time, or of the present. The begin of the day if the picture shows neither."""
    moment = requested or now
    return next((_x(moment, day) for day in days if day.start <= moment < day.end), 0.0)


def _cell_width(days: Sequence[CalendarDay]) -> float:
    """As wide as the time to the next cell, within limits."""
    gaps = [high.start - low.start for day in days for low, high in pairwise(day.cells)]
    if any(cell.hour for day in days for cell in day.cells):
        return HOUR_WIDTH
    return min(max(min(gaps, default=HOUR) / HOUR * HOUR_WIDTH, NARROWEST), WIDEST)


def _row(day: CalendarDay, number: int, width: float, zone: ZoneInfo, now: dt.datetime, secrets: str) -> dict[str, Any]:
    top = TOP + number * ROW
    # Whole minutes: each move of the mark sends the picture again.
    future = max(now.replace(second=0, microsecond=0), day.start)
    return {
        "label": format_date(day.date, "D j M"),
        "label_y": _pixels(top + 13),
        "is_today": day.start <= now < day.end,
        "note": _clock_note(day),
        "cells": [_cell(cell, day, top, width, zone, secrets) for cell in day.cells],
        "to_come": {
            "x": _pixels(_x(future, day) + 0.5),
            "y": _pixels(top + 1.5),
            "width": _pixels(max(_x(day.end, day) - _x(future, day) - 1, 0)),
        }
        if now < day.end and day.start < day.end
        else None,
    }


def _clock_note(day: CalendarDay) -> str:
    """For a day on which the clock changes."""
    if day.start == day.end:
        return _("left out by the time zone")
    if day.hours == 24:
        return ""
    return _("%(n)s h: the clock changes") % {"n": f"{day.hours:g}"}


def _cell(cell: CalendarCell, day: CalendarDay, top: int, width: float, zone: ZoneInfo, secrets: str) -> dict[str, Any]:
    shape, tone = SHAPES[cell.mark]
    thin = cell.mark == Mark.SKIPPED
    framed = "cell" not in shape
    x = _x(cell.start, day)
    return {
        "class": shape,
        "tone": tone,
        "x": _pixels(x + framed * 0.5),
        "y": _pixels(top + (6 if thin else framed * 0.5)),
        "width": _pixels(max(width - framed, 1)),
        "height": _pixels(6 if thin else 18 - framed),
        "cross": f"M{_pixels(x + width / 2 - 2)} {top + 6.5}l4 5m0-5l-4 5" if cell.mark == Mark.FAILED else "",
        "say": mask_secrets(_cell_text(cell, zone), secrets),
        "url": _cell_url(cell),
    }


def _cell_text(cell: CalendarCell, zone: ZoneInfo) -> str:
    with timezone.override(zone):
        local = timezone.localtime(cell.start)
        at = format_date(local, "D j M, H:i" if not local.second else "D j M, H:i:s")
    if cell.hour is not None:
        hour = cell.hour
        bad = hour.failed + hour.timed_out + hour.lost
        words = {"at": at, "good": hour.succeeded, "bad": bad, "skipped": hour.skipped}
        return _("%(at)s and the hour after it: %(good)d succeeded, %(bad)d failed, %(skipped)d skipped") % words
    text = _("%(at)s: %(what)s") % {"at": at, "what": cell.mark.label}
    run = cell.entry.last_attempt if cell.entry is not None else None
    reason = run.reason if run is not None else ""
    return f"{text}. {reason}" if reason else text


def _cell_url(cell: CalendarCell) -> str:
    run = cell.entry.last_attempt if cell.entry is not None else None
    return admin_url("chroniker_run_change", run.pk) if run is not None else ""


def _requested_time_frame(number: int, day: CalendarDay, width: float, requested: dt.datetime) -> dict[str, str]:
    return {
        "x": _pixels(_x(requested, day)),
        "y": _pixels(TOP + number * ROW - 1),
        "width": _pixels(width),
        "height": "20",
    }


def _x(moment: dt.datetime, day: CalendarDay) -> float:
    """Hours that have really passed since the begin of the day: a repeated hour has a place of its own."""
    return LEFT + (moment - day.start) / HOUR * HOUR_WIDTH


def _pixels(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def summary(days: Sequence[CalendarDay], counts: Sequence[tuple[Mark, int]]) -> str:
    """The picture in words, for screen readers."""
    listed = ", ".join(_("%(n)d %(what)s") % {"n": number, "what": mark.label} for mark, number in counts)
    found = listed or _("Nothing was scheduled.")
    text = ngettext("%(n)d day, one row a day.", "%(n)d days, one row a day.", len(days)) % {"n": len(days)}
    return f"{text} {found}"
