"""The timeline as a picture: a bar for each run, and at the left the names, which stay while the bars scroll."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.utils import timezone
from django.utils.dateformat import format as format_date
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from chroniker.admin.shared.site_links import admin_url
from chroniker.insights.timeline import RunTimeline
from chroniker.insights.timeline_rows import JobRow, TimelineBand, TimelineBar, TimelineLane
from chroniker.wording.formats import percent, short_duration, short_time
from chroniker.wording.states import state

#: In pixels: widths of the time axis and of the names, heights of the head and of a row, and the least width of a bar.
AXIS_WIDTH, NAMES_WIDTH, HEAD_HEIGHT, ROW_HEIGHT, MIN_BAR_WIDTH = 2976.0, 190, 34, 20, 2.5
#: The width of the text “now 12:34”, and of a date.
TIME_TEXT_WIDTH = 70
#: The largest number of letters of a name. Longer names are cut.
MAX_NAME_LETTERS = 27
#: Pairs: the largest length of a picture in hours, and the hours between two of its lines.
HOURS_BETWEEN_LINES = ((8, 0.5), (60, 2), (400, 12))
FAILURE_STATE_CODES = ("failed", "timed_out", "lost")


@dataclass(frozen=True, slots=True)
class TimelinePicture:
    """The picture for the template. Its numbers are pixels, as text."""

    names_width: int
    width: str
    height: str
    lines: list[dict[str, str]]
    now_x: str
    now_text: str
    now_text_x: str
    scroll_start_share: str
    lanes: list[dict[str, Any]]
    collisions: list[dict[str, str]]


def draw_timeline(timeline: RunTimeline, slots: dict[str, int | None], grouped_by: str) -> TimelinePicture:
    """``slots``: the number of slots of a lane, by its title; ``None`` if unknown."""
    drawing = _TimelineDrawing(timeline)
    lanes, lines = list(drawing.draw_lanes(slots, grouped_by)), list(drawing.hour_lines())
    return TimelinePicture(
        names_width=NAMES_WIDTH,
        width=_pixel_text(AXIS_WIDTH + 10),
        height=_pixel_text(drawing.bottom),
        lines=lines,
        now_x=_pixel_text(drawing.x_of_moment(timeline.now)),
        now_text=_("now %(time)s") % {"time": f"{timezone.localtime(timeline.now):%H:%M}"},
        now_text_x=_pixel_text(
            _now_text_x(drawing.x_of_moment(timeline.now), [float(line["text_x"]) for line in lines if line["day"]])
        ),
        scroll_start_share=_pixel_text(drawing.x_of_moment(timeline.now) / AXIS_WIDTH),
        lanes=lanes,
        collisions=[
            {
                "x": _pixel_text(drawing.x_of_moment(each.collision.start)),
                "width": _pixel_text(
                    max(drawing.x_of_moment(each.collision.end) - drawing.x_of_moment(each.collision.start), 4)
                ),
            }
            for each in timeline.collisions
        ],
    )


def _now_text_x(now_x: float, date_x_positions: list[float]) -> float:
    """The x of the text “now …”: right of its line. If a date is there: left of the line, or after the date."""
    for date_x in date_x_positions:
        if abs(date_x - now_x) < TIME_TEXT_WIDTH:
            return now_x - TIME_TEXT_WIDTH if date_x > now_x else date_x + TIME_TEXT_WIDTH
    return now_x + 4


class _TimelineDrawing:
    """Computes positions, row by row from the top. ``bottom``: the bottom of the last row so far."""

    def __init__(self, timeline: RunTimeline) -> None:
        self.timeline, self.bottom = timeline, HEAD_HEIGHT

    def x_of_moment(self, moment: dt.datetime) -> float:
        start, end = self.timeline.start, self.timeline.end
        return AXIS_WIDTH * min(max((moment - start) / (end - start), 0), 1)

    def hour_lines(self) -> Iterator[dict[str, str]]:
        """Vertical lines at whole hours of the local time. The line at midnight has a date."""
        hours = (self.timeline.end - self.timeline.start) / dt.timedelta(hours=1)
        step = dt.timedelta(hours=next((step for most, step in HOURS_BETWEEN_LINES if hours <= most), 24))
        moment = self.timeline.start.replace(minute=0, second=0, microsecond=0)
        while moment < self.timeline.end:
            local = timezone.localtime(moment)
            since_midnight = dt.timedelta(hours=local.hour, minutes=local.minute)
            if moment >= self.timeline.start and since_midnight % step == dt.timedelta():
                is_midnight = not since_midnight
                day = format_date(local, "D j M") if is_midnight else ""
                x = self.x_of_moment(moment)
                rule = "axis" if is_midnight else "rule"
                yield {
                    "x": _pixel_text(x),
                    "text_x": _pixel_text(x + 3),
                    "text": f"{local:%H:%M}",
                    "day": day,
                    "class": rule,
                }
            moment += dt.timedelta(minutes=30)

    def draw_lanes(self, slots: dict[str, int | None], grouped_by: str) -> Iterator[dict[str, Any]]:
        for lane in self.timeline.lanes:
            head = None
            if grouped_by != "job":
                head = self._draw_lane_head(lane, slots, grouped_by)
            yield {"head": head, "rows": [self._draw_row(row, grouped_by) for row in lane.rows]}
            self.bottom += 6 if grouped_by != "job" else 0

    def _draw_lane_head(self, lane: TimelineLane, slots: dict[str, int | None], grouped_by: str) -> dict[str, str]:
        top = self._reserve_row()
        places = lane.limit if grouped_by == "group" else slots.get(lane.title)
        text = _("limit %(n)d") if grouped_by == "group" else ngettext("%(n)d slot", "%(n)d slots", places or 0)
        most = max(places or 0, *lane.load, 1)
        step = AXIS_WIDTH / len(lane.load)
        points = (
            f"{_pixel_text((n + 0.5) * step)} {_pixel_text(top + 18 - 16 * load / most)}"
            for n, load in enumerate(lane.load)
        )
        none = _("no group") if grouped_by == "group" else _("not run yet")
        return {
            "title": _shorten_name(lane.title or none),
            "y": _pixel_text(top),
            "text_y": _pixel_text(top + 14),
            "places": text % {"n": places} if places else "",
            "line": "M" + " L".join(points),
        }

    def _draw_row(self, row: JobRow, grouped_by: str) -> dict[str, Any]:
        top = self._reserve_row()
        drawn = [self._draw_band(band, row, top) for band in _merge_touching_bands(row.bands)]
        drawn += [self._draw_bar(bar, row, top) for bar in row.bars]
        return {
            "title": _shorten_name(row.name),
            "name": row.name,
            "x": "6" if grouped_by == "job" else "14",
            "text_y": _pixel_text(top + 14),
            "url": admin_url("chroniker_job_status", row.job_id),
            "shapes": drawn,
        }

    def _reserve_row(self) -> int:
        top = self.bottom
        self.bottom += ROW_HEIGHT
        return top

    def _draw_bar(self, bar: TimelineBar, row: JobRow, top: int) -> dict[str, Any]:
        is_bad, is_expected = bar.code in FAILURE_STATE_CODES, bar.code == "expected"
        is_linked = is_bad or bar.code in ("running", "queued")
        x = self.x_of_moment(bar.start)
        return {
            "class": "hollow" if is_expected else "f",
            "tone": "busy" if is_expected else state(bar.code).tone,
            "x": _pixel_text(x),
            "y": _pixel_text(top + (3 if is_bad else 5 + is_expected * 0.5)),
            "width": _pixel_text(max(self.x_of_moment(bar.end) - x, MIN_BAR_WIDTH)),
            "height": "15" if is_bad else "11",
            "say": self._bar_text(bar, row),
            "url": admin_url("chroniker_run_change", bar.run.pk) if is_linked and bar.run is not None else "",
        }

    def _bar_text(self, bar: TimelineBar, row: JobRow) -> str:
        words = {"name": row.name, "time": short_time(bar.start, self.timeline.now)}
        words |= {"length": short_duration(bar.end - bar.start), "state": str(state(bar.code).word).lower()}
        if bar.code == "expected":
            if row.usual is None:
                return _("%(name)s: due %(time)s") % words
            return _("%(name)s: due %(time)s, usually %(length)s") % words
        if bar.code in ("running", "queued"):
            return _("%(name)s: %(state)s since %(time)s") % words
        return _("%(name)s, %(time)s: %(state)s after %(length)s") % words

    def _draw_band(self, band: TimelineBand, row: JobRow, top: int) -> dict[str, Any]:
        x = self.x_of_moment(band.start)
        shape, tone = ("ghost", "idle") if band.is_expected else ("soft", "bad" if band.failed else "good")
        return {
            "class": shape,
            "tone": tone,
            "x": _pixel_text(x),
            "y": _pixel_text(top + 6 + band.is_expected * 0.5),
            "width": _pixel_text(max(self.x_of_moment(band.end) - x, 1)),
            "height": "9" if not band.is_expected else "8",
            "say": self._band_text(band, row),
            "url": "",
        }

    def _band_text(self, band: TimelineBand, row: JobRow) -> str:
        words = {"name": row.name, "usual": short_duration(row.usual)}
        if band.is_expected:
            return _("%(name)s: many runs expected, usually %(usual)s each") % words
        runs = band.succeeded + band.failed
        words |= {
            "n": str(runs),
            "share": percent(band.succeeded, runs),
            "time": short_time(band.start, self.timeline.now),
        }
        return _("%(name)s, from %(time)s, runs: %(n)s, succeeded: %(share)s") % words


def _merge_touching_bands(bands: list[TimelineBand]) -> list[TimelineBand]:
    """Join two bands that touch, if both have failures, or if both have none."""
    joined: list[TimelineBand] = []
    for band in sorted(bands, key=lambda each: each.start):
        last = joined[-1] if joined else None
        if (
            last is not None
            and last.end == band.start
            and bool(last.failed) == bool(band.failed)
            and not band.is_expected
        ):
            sums = (last.succeeded + band.succeeded, last.failed + band.failed, last.seconds + band.seconds)
            joined[-1] = TimelineBand(last.start, band.end, *sums)
        else:
            joined.append(band)
    return joined


def _shorten_name(name: str) -> str:
    return name if len(name) <= MAX_NAME_LETTERS else f"{name[: MAX_NAME_LETTERS - 1]}…"


def _pixel_text(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
