"""The calendar of a job's schedule history as a picture: a row for each day, a cell for each scheduled time or hour."""

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
from chroniker.insights.run_calendar import HOUR, CalendarDay, CalendarMark, TimeOrHourCell
from chroniker.job_commands.secret_masking import mask_secrets

#: In pixels: the width of the day names, the width of an hour, the height of a row, and the limits of a cell's width.
NAMES_WIDTH, HOUR_WIDTH, ROW_HEIGHT, MIN_CELL_WIDTH, MAX_CELL_WIDTH = 86, 41.5, 21, 3.0, 14.0
#: In pixels: the x of the first cell, and the y of the first row.
FIRST_CELL_X, FIRST_ROW_Y = 8.0, 16
#: The CSS class and the tone of the cell for each mark.
CELL_CLASS_AND_TONE = {
    CalendarMark.FAILED: ("f cell", "bad"),
    CalendarMark.OPEN: ("f cell", "busy"),
    CalendarMark.DUE: ("soft", "wait"),
    CalendarMark.MERGED: ("soft", "wait"),
    CalendarMark.SUCCEEDED: ("f calm cell", "good"),
    CalendarMark.STOPPED: ("f cell", "wait"),
    CalendarMark.SKIPPED: ("f cell", "idle"),
    CalendarMark.UNKNOWN: ("ghost", "idle"),
}


@dataclass(frozen=True, slots=True)
class CalendarPicture:
    """The picture for the template. Its numbers are pixels, as text."""

    names_width: int  #: of the day names, which stay in place while the cells scroll
    width: str
    height: str
    hours: list[dict[str, str]]
    rows: list[dict[str, Any]]
    counts: list[tuple[CalendarMark, int]]  #: in the order of ``CalendarMark``
    requested_time_frame: dict[str, str] | None
    scroll_start_share: str  #: a narrow page first scrolls to this share of the width: the requested time, or now


def draw_calendar(
    days: Sequence[CalendarDay],
    zone: ZoneInfo,
    now: dt.datetime,
    requested_time: dt.datetime | None = None,
    *,
    secrets: str = "",
) -> CalendarPicture:
    """``requested_time``: the scheduled time that the user asked for, if there is one. ``secrets`` are masked."""
    longest = max((day.hours for day in days), default=24)
    width = _cell_width(days)
    total = FIRST_CELL_X + max(longest, 24) * HOUR_WIDTH + 8
    marked = [day for day in days if requested_time is not None and day.start <= requested_time < day.end]
    counts = Counter(cell.mark for day in days for cell in day.cells)
    frame = None
    if marked and requested_time:
        frame = _requested_time_rectangle(days.index(marked[0]), marked[0], width, requested_time)
    return CalendarPicture(
        names_width=NAMES_WIDTH,
        width=_pixel_text(total),
        height=_pixel_text(FIRST_ROW_Y + len(days) * ROW_HEIGHT),
        hours=[{"x": _pixel_text(FIRST_CELL_X + hour * HOUR_WIDTH), "text": f"{hour:02}"} for hour in range(0, 25, 3)],
        rows=[_draw_day_row(day, n, width, zone, now, secrets) for n, day in enumerate(days)],
        counts=[(mark, counts[mark]) for mark in CalendarMark if counts[mark]],
        requested_time_frame=frame,
        scroll_start_share=f"{_scroll_start_x(days, requested_time if marked else None, now) / total:.3f}",
    )


def _scroll_start_x(days: Sequence[CalendarDay], requested_time: dt.datetime | None, now: dt.datetime) -> float:
    """The x of the requested time, or of the present; 0 if the picture shows neither."""
    moment = requested_time or now
    return next((_x_of_moment(moment, day) for day in days if day.start <= moment < day.end), 0.0)


def _cell_width(days: Sequence[CalendarDay]) -> float:
    """The width of an hour for hourly cells; else of the shortest time between two cells, within limits."""
    gaps = [high.start - low.start for day in days for low, high in pairwise(day.cells)]
    if any(cell.hour for day in days for cell in day.cells):
        return HOUR_WIDTH
    return min(max(min(gaps, default=HOUR) / HOUR * HOUR_WIDTH, MIN_CELL_WIDTH), MAX_CELL_WIDTH)


def _draw_day_row(
    day: CalendarDay, row_number: int, cell_width: float, zone: ZoneInfo, now: dt.datetime, secrets: str
) -> dict[str, Any]:
    top = FIRST_ROW_Y + row_number * ROW_HEIGHT
    # In whole minutes. Each time this mark moves, the refresh sends the whole picture.
    future = max(now.replace(second=0, microsecond=0), day.start)
    return {
        "label": format_date(day.date, "D j M"),
        "label_y": _pixel_text(top + 13),
        "is_today": day.start <= now < day.end,
        "note": _clock_change_note(day),
        "cells": [_draw_cell(cell, day, top, cell_width, zone, secrets) for cell in day.cells],
        "to_come": {
            "x": _pixel_text(_x_of_moment(future, day) + 0.5),
            "y": _pixel_text(top + 1.5),
            "width": _pixel_text(max(_x_of_moment(day.end, day) - _x_of_moment(future, day) - 1, 0)),
        }
        if now < day.end and day.start < day.end
        else None,
    }


def _clock_change_note(day: CalendarDay) -> str:
    """A note for a day on which the clock changes; else empty."""
    if day.start == day.end:
        return _("does not exist in this time zone")
    if day.hours == 24:
        return ""
    return _("%(n)s h: the clock changes") % {"n": f"{day.hours:g}"}


def _draw_cell(
    cell: TimeOrHourCell, day: CalendarDay, top: int, cell_width: float, zone: ZoneInfo, secrets: str
) -> dict[str, Any]:
    shape, tone = CELL_CLASS_AND_TONE[cell.mark]
    thin = cell.mark == CalendarMark.SKIPPED
    framed = "cell" not in shape
    x = _x_of_moment(cell.start, day)
    return {
        "class": shape,
        "tone": tone,
        "x": _pixel_text(x + framed * 0.5),
        "y": _pixel_text(top + (6 if thin else framed * 0.5)),
        "width": _pixel_text(max(cell_width - framed, 1)),
        "height": _pixel_text(6 if thin else 18 - framed),
        "cross": f"M{_pixel_text(x + cell_width / 2 - 2)} {top + 6.5}l4 5m0-5l-4 5"
        if cell.mark == CalendarMark.FAILED
        else "",
        "say": mask_secrets(_cell_text(cell, zone), secrets),
        "url": _run_url_of_cell(cell),
    }


def _cell_text(cell: TimeOrHourCell, zone: ZoneInfo) -> str:
    with timezone.override(zone):
        local = timezone.localtime(cell.start)
        at = format_date(local, "D j M, H:i" if not local.second else "D j M, H:i:s")
    if cell.hour is not None:
        hour = cell.hour
        bad = hour.failed + hour.timed_out + hour.lost
        words = {"at": at, "good": hour.succeeded, "bad": bad, "skipped": hour.skipped}
        return _("Hour from %(at)s: %(good)d succeeded, %(bad)d failed, %(skipped)d skipped") % words
    text = _("%(at)s: %(what)s") % {"at": at, "what": cell.mark.label}
    run = cell.entry.last_attempt if cell.entry is not None else None
    reason = run.reason if run is not None else ""
    return f"{text}. {reason}" if reason else text


def _run_url_of_cell(cell: TimeOrHourCell) -> str:
    run = cell.entry.last_attempt if cell.entry is not None else None
    return admin_url("chroniker_run_change", run.pk) if run is not None else ""


def _requested_time_rectangle(
    row_number: int, day: CalendarDay, cell_width: float, requested_time: dt.datetime
) -> dict[str, str]:
    return {
        "x": _pixel_text(_x_of_moment(requested_time, day)),
        "y": _pixel_text(FIRST_ROW_Y + row_number * ROW_HEIGHT - 1),
        "width": _pixel_text(cell_width),
        "height": "20",
    }


def _x_of_moment(moment: dt.datetime, day: CalendarDay) -> float:
    """The x of a moment, by the hours that passed since the start of the day. A repeated hour is drawn twice."""
    return FIRST_CELL_X + (moment - day.start) / HOUR * HOUR_WIDTH


def _pixel_text(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def calendar_summary(days: Sequence[CalendarDay], counts: Sequence[tuple[CalendarMark, int]]) -> str:
    """The picture in words, for screen readers."""
    listed = ", ".join(_("%(n)d %(what)s") % {"n": number, "what": mark.label} for mark, number in counts)
    found = listed or _("Nothing was scheduled.")
    text = ngettext("%(n)d day, one row a day.", "%(n)d days, one row a day.", len(days)) % {"n": len(days)}
    return f"{text} {found}"
