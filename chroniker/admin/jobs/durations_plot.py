"""The picture of a job's durations: the positions of its marks, lines and labels. Numbers are texts, for any locale."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from django.utils import timezone
from django.utils.dateformat import format as format_date
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from chroniker.admin.shared.site_links import admin_url
from chroniker.insights.run_durations import DurationMark, RunDurations
from chroniker.models import Status
from chroniker.wording.formats import format_count, short_duration, short_time
from chroniker.wording.states import state

PICTURE_WIDTH, PICTURE_HEIGHT = 694, 190
PLOT_LEFT_X, PLOT_RIGHT_X, PLOT_TOP_Y, PLOT_BOTTOM_Y = 2, 592, 12, 172
#: Steps between the lines of the scale, in seconds.
SCALE_STEPS_SECONDS = (
    0.1,
    0.2,
    0.5,
    1,
    2,
    5,
    10,
    15,
    30,
    60,
    120,
    300,
    600,
    900,
    1800,
    3600,
    7200,
    14400,
    28800,
    86400,
)
LABEL_HEIGHT = 12
MINUTE, HOUR, DAY = dt.timedelta(minutes=1), dt.timedelta(hours=1), dt.timedelta(days=1)
#: Steps between the dates below the picture.
DATE_LINE_STEPS = (
    MINUTE,
    5 * MINUTE,
    15 * MINUTE,
    HOUR,
    3 * HOUR,
    6 * HOUR,
    DAY,
    2 * DAY,
    7 * DAY,
    31 * DAY,
    3650 * DAY,
)


@dataclass(frozen=True, slots=True)
class PlotMark:
    """``shape``: dot, cross, triangle, square or column."""

    shape: str
    tone: str
    path: str  #: of cross, triangle and column
    x: str
    y: str
    say: str
    url: str
    failure_cross_path: str = ""  #: of a column with failures: the path of their cross


@dataclass(frozen=True, slots=True)
class PlotLine:
    y: str
    label: str
    label_y: str
    kind: str  #: rule, p50, p95 or timeout


@dataclass(frozen=True, slots=True)
class PlotScale:
    """Converts durations and times to coordinates."""

    max_seconds: float  #: at the upper edge
    first: dt.datetime
    last: dt.datetime

    def y_of_duration(self, seconds: float) -> float:
        return PLOT_BOTTOM_Y - min(seconds / self.max_seconds, 1.0) * (PLOT_BOTTOM_Y - PLOT_TOP_Y)

    def x_of_moment(self, moment: dt.datetime) -> float:
        length = (self.last - self.first).total_seconds()
        share = (moment - self.first).total_seconds() / length if length > 0 else 0.5
        return PLOT_LEFT_X + min(max(share, 0.0), 1.0) * (PLOT_RIGHT_X - PLOT_LEFT_X)


def draw_durations(durations: RunDurations, timeout: float | None, now: dt.datetime) -> dict[str, Any]:
    """The picture for the template; empty without runs."""
    if not durations.marks:
        return {}
    scale = _make_scale(durations, timeout, now)
    return {
        "width": PICTURE_WIDTH,
        "height": PICTURE_HEIGHT,
        "view_box": f"0 0 {PICTURE_WIDTH} {PICTURE_HEIGHT}",
        "marks": [_place_mark_on_plot(mark, scale, now) for mark in durations.marks],
        "lines": _plot_lines(durations, timeout, scale),
        "dates": list(_date_lines(scale)),
        "label": plot_label(durations),
        "left": PLOT_LEFT_X,
        "right": PLOT_RIGHT_X,
        "label_x": PLOT_RIGHT_X + 6,
        "top": PLOT_TOP_Y,
        "bottom": PLOT_BOTTOM_Y,
        "date_y": PLOT_BOTTOM_Y + 14,
    }


def plot_label(durations: RunDurations) -> str:
    """The picture in words."""
    words = {"n": format_count(durations.run_count), "bad": format_count(durations.bad_count),
             "p50": short_duration(durations.p50), "p95": short_duration(durations.p95)}  # fmt: skip
    if durations.p50 is None:
        return _("Durations of %(n)s runs; %(bad)s failed, timed out or were lost") % words
    text = _(
        "Durations of %(n)s runs: half of the successful ones took up to %(p50)s, 95 of 100 up to %(p95)s; "
        "%(bad)s failed, timed out or were lost"
    )
    return text % words


def _make_scale(durations: RunDurations, timeout: float | None, now: dt.datetime) -> PlotScale:
    longest = max(durations.longest, durations.p95 or 0.0)
    if timeout is not None and timeout <= 4 * longest:  # with a much longer timeout, all marks would be at the bottom
        longest = max(longest, timeout)
    first = durations.marks[0]
    # If the shown runs include the first run of the job, the picture begins with it.
    since = first.started_at if durations.since is None or first.token == 1 else min(durations.since, first.started_at)
    return PlotScale(max(longest * 1.04, 0.001), since, now)


def _plot_lines(durations: RunDurations, timeout: float | None, scale: PlotScale) -> list[PlotLine]:
    """The scale lines and the reference lines. A scale line has no label if its label would touch another label."""
    lines = list(_timeout_and_percentile_lines(durations, timeout, scale))
    taken = [float(line.label_y) for line in lines if line.kind != "timeout"]
    rules = [
        replace(rule, label="") if any(abs(float(rule.label_y) - y) < LABEL_HEIGHT for y in taken) else rule
        for rule in _scale_lines(scale)
    ]
    return [*rules, *lines]


def _scale_lines(scale: PlotScale) -> Iterator[PlotLine]:
    whole_days = math.ceil(scale.max_seconds / 86400 / 4) * 86400
    step = next((step for step in SCALE_STEPS_SECONDS if scale.max_seconds / step <= 4.5), whole_days)
    for number in range(math.floor(scale.max_seconds / step) + 1):
        y = scale.y_of_duration(number * step)
        yield PlotLine(f"{y:.1f}", short_duration(number * step) if number else "0", f"{y + 4:.1f}", "rule")


def _timeout_and_percentile_lines(
    durations: RunDurations, timeout: float | None, scale: PlotScale
) -> Iterator[PlotLine]:
    if timeout is not None and timeout <= scale.max_seconds:
        y = scale.y_of_duration(timeout)
        yield PlotLine(f"{y:.1f}", _("timeout"), f"{y + 13:.1f}", "timeout")
    if durations.p50 is None or durations.p95 is None:
        return
    low, high = scale.y_of_duration(durations.p50), scale.y_of_duration(durations.p95)
    shift = max(LABEL_HEIGHT - (low - high), 0) / 2  # the labels must not cover each other
    yield PlotLine(f"{low:.1f}", f"p50 {short_duration(durations.p50)}", f"{low + 4 + shift:.1f}", "p50")
    yield PlotLine(f"{high:.1f}", f"p95 {short_duration(durations.p95)}", f"{high + 4 - shift:.1f}", "p95")


def _date_lines(scale: PlotScale) -> Iterator[dict[str, str]]:
    """At most about seven lines: at midnight, or for a short time range at whole hours or minutes."""
    length = scale.last - scale.first
    step = next(step for step in DATE_LINE_STEPS if length / step <= 7)
    first = timezone.localtime(scale.first)
    at = first.replace(hour=0, minute=0, second=0, microsecond=0)
    # Translators: a date as in “Sun 22 Nov”, in the letters of Django's date format.
    form = "H:i" if step < DAY else pgettext("date format", "D j M")
    while at <= scale.last:
        if at >= scale.first:
            x = scale.x_of_moment(at)
            yield {"x": f"{x:.1f}", "label_x": f"{x + 3:.1f}", "text": format_date(at, form)}
        at += step


def _place_mark_on_plot(mark: DurationMark, scale: PlotScale, now: dt.datetime) -> PlotMark:
    x, y = scale.x_of_moment(mark.started_at), scale.y_of_duration(mark.seconds)
    if mark.is_column:
        low, high = scale.y_of_duration(mark.low), scale.y_of_duration(mark.high)
        path = f"M{x:.1f} {low:.1f}V{min(high, low - 1):.1f}"
        cross = _cross_path(x, PLOT_BOTTOM_Y - 3, 2) if mark.bad_count else ""
        return PlotMark("column", "good", path, f"{x:.1f}", f"{y:.1f}", _column_mark_text(mark, now), "", cross)
    shapes = {Status.SUCCEEDED: "dot", Status.TIMED_OUT: "triangle", Status.STOPPED: "square"}
    shape = shapes.get(Status(mark.status), "cross")
    paths = {"cross": _cross_path(x, y, 3), "triangle": f"M{x:.1f} {y - 4:.1f}l4 7h-8z",
             "square": f"M{x - 3:.1f} {y - 3:.1f}h6v6h-6z"}  # fmt: skip
    url = admin_url("chroniker_run_change", mark.pk) if mark.bad_count else ""
    tone = state(mark.status).tone
    return PlotMark(shape, tone, paths.get(shape, ""), f"{x:.1f}", f"{y:.1f}", _mark_text(mark, now), url)


def _cross_path(x: float, y: float, half_width: int) -> str:
    width = 2 * half_width
    return f"M{x - half_width:.1f} {y - half_width:.1f}l{width} {width}m0-{width}l-{width} {width}"


def _mark_text(mark: DurationMark, now: dt.datetime) -> str:
    words = {"token": mark.token, "time": short_time(mark.started_at, now), "took": short_duration(mark.seconds),
             "status": Status(mark.status).label}  # fmt: skip
    return _("run %(token)d, %(time)s: %(status)s after %(took)s") % words


def _column_mark_text(mark: DurationMark, now: dt.datetime) -> str:
    words = {"first": mark.token, "last": mark.last_token, "time": short_time(mark.started_at, now),
             "low": short_duration(mark.low), "middle": short_duration(mark.seconds),
             "high": short_duration(mark.high), "bad": mark.bad_count, "n": mark.run_count}  # fmt: skip
    text = _("runs %(first)d to %(last)d, from %(time)s: %(low)s to %(high)s, median %(middle)s; %(bad)d failed")
    return text % words


def duration_rows(durations: RunDurations, now: dt.datetime) -> list[dict[str, Any]]:
    """The same data as rows of the table, newest first."""
    return [
        {
            "runs": f"{mark.token}–{mark.last_token}" if mark.is_column else str(mark.token),  # noqa: RUF001
            "url": admin_url("chroniker_run_change", mark.pk) if mark.pk else "",
            "started": mark.started_at,
            "status": mark.status,
            "low": short_duration(mark.low if mark.is_column else mark.seconds),
            "middle": short_duration(mark.seconds),
            "high": short_duration(mark.high if mark.is_column else mark.seconds),
            "bad": mark.bad_count,
        }
        for mark in reversed(durations.marks)
    ]
