"""The timeline as a picture: names at the left, which stay while the rest scrolls, and a bar for each run."""

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
from chroniker.insights.timeline import Timeline
from chroniker.insights.timeline_rows import Band, Bar, JobRow, Lane
from chroniker.wording.formats import percent, short_duration, short_time
from chroniker.wording.states import state

#: Pixels: the whole time, the names, the head with the hours, a row, and the least width of a bar.
WIDTH, NAMES, HEAD, ROW, NARROWEST = 2976.0, 190, 34, 20, 2.5
#: The width of the text of the present, and of a date.
TEXT = 70
#: Letters of a name that fit.
LETTERS = 27
#: Hours between two lines, for pictures of up to so many hours.
LINES = ((8, 0.5), (60, 2), (400, 12))
FAILURES = ("failed", "timed_out", "lost")


@dataclass(frozen=True, slots=True)
class TimelinePicture:
    """For the template: all numbers are pixels, as text."""

    names: int
    width: str
    height: str
    lines: list[dict[str, str]]
    now_x: str
    now_text: str
    now_text_x: str
    start_at: str
    lanes: list[dict[str, Any]]
    collisions: list[dict[str, str]]


def picture(found: Timeline, slots: dict[str, int | None], by: str) -> TimelinePicture:
    """``slots``: by the title of a lane, as far as they are known."""
    drawn = _Drawing(found)
    lanes, lines = list(drawn.lanes(slots, by)), list(drawn.lines())
    return TimelinePicture(
        names=NAMES,
        width=_pixels(WIDTH + 10),
        height=_pixels(drawn.bottom),
        lines=lines,
        now_x=_pixels(drawn.x(found.now)),
        now_text=_("now %(time)s") % {"time": f"{timezone.localtime(found.now):%H:%M}"},
        now_text_x=_pixels(_now_text_x(drawn.x(found.now), [float(line["text_x"]) for line in lines if line["day"]])),
        start_at=_pixels(drawn.x(found.now) / WIDTH),
        lanes=lanes,
        collisions=[
            {
                "x": _pixels(drawn.x(each.collision.start)),
                "width": _pixels(max(drawn.x(each.collision.end) - drawn.x(each.collision.start), 4)),
            }
            for each in found.collisions
        ],
    )


def _now_text_x(now_x: float, dates: list[float]) -> float:
    """Right of the line of the present; left of it, or further right, where a date would be in the way."""
    for date_x in dates:
        if abs(date_x - now_x) < TEXT:
            return now_x - TEXT if date_x > now_x else date_x + TEXT
    return now_x + 4


class _Drawing:
    """Places things from the top down."""

    def __init__(self, found: Timeline) -> None:
        self.found, self.bottom = found, HEAD

    def x(self, moment: dt.datetime) -> float:
        low, high = self.found.low, self.found.high
        return WIDTH * min(max((moment - low) / (high - low), 0), 1)

    def lines(self) -> Iterator[dict[str, str]]:
        """At whole hours of the local time; a date stands at midnight."""
        hours = (self.found.high - self.found.low) / dt.timedelta(hours=1)
        step = dt.timedelta(hours=next((step for most, step in LINES if hours <= most), 24))
        moment = self.found.low.replace(minute=0, second=0, microsecond=0)
        while moment < self.found.high:
            local = timezone.localtime(moment)
            since_midnight = dt.timedelta(hours=local.hour, minutes=local.minute)
            if moment >= self.found.low and since_midnight % step == dt.timedelta():
                is_midnight = not since_midnight
                day = format_date(local, "D j M") if is_midnight else ""
                x = self.x(moment)
                rule = "axis" if is_midnight else "rule"
                yield {"x": _pixels(x), "text_x": _pixels(x + 3), "text": f"{local:%H:%M}", "day": day, "class": rule}
            moment += dt.timedelta(minutes=30)

    def lanes(self, slots: dict[str, int | None], by: str) -> Iterator[dict[str, Any]]:
        for lane in self.found.lanes:
            head = None
            if by != "job":
                head = self._lane_head(lane, slots, by)
            yield {"head": head, "rows": [self._row(row, by) for row in lane.rows]}
            self.bottom += 6 if by != "job" else 0

    def _lane_head(self, lane: Lane, slots: dict[str, int | None], by: str) -> dict[str, str]:
        top = self._next_row()
        places = lane.limit if by == "group" else slots.get(lane.title)
        text = _("limit %(n)d") if by == "group" else ngettext("%(n)d slot", "%(n)d slots", places or 0)
        most = max(places or 0, *lane.busy, 1)
        step = WIDTH / len(lane.busy)
        points = (
            f"{_pixels((n + 0.5) * step)} {_pixels(top + 18 - 16 * busy / most)}" for n, busy in enumerate(lane.busy)
        )
        none = _("no group") if by == "group" else _("not run yet")
        return {
            "title": _shorten_name(lane.title or none),
            "y": _pixels(top),
            "text_y": _pixels(top + 14),
            "places": text % {"n": places} if places else "",
            "line": "M" + " L".join(points),
        }

    def _row(self, row: JobRow, by: str) -> dict[str, Any]:
        top = self._next_row()
        drawn = [self._band(band, row, top) for band in _join_bands(row.bands)]
        drawn += [self._bar(bar, row, top) for bar in row.bars]
        return {
            "title": _shorten_name(row.name),
            "name": row.name,
            "x": "6" if by == "job" else "14",
            "text_y": _pixels(top + 14),
            "url": admin_url("chroniker_job_status", row.job_id),
            "shapes": drawn,
        }

    def _next_row(self) -> int:
        top = self.bottom
        self.bottom += ROW
        return top

    def _bar(self, bar: Bar, row: JobRow, top: int) -> dict[str, Any]:
        is_bad, is_expected = bar.code in FAILURES, bar.code == "expected"
        is_linked = is_bad or bar.code in ("running", "queued")
        x = self.x(bar.start)
        return {
            "class": "hollow" if is_expected else "f",
            "tone": "busy" if is_expected else state(bar.code).tone,
            "x": _pixels(x),
            "y": _pixels(top + (3 if is_bad else 5 + is_expected * 0.5)),
            "width": _pixels(max(self.x(bar.end) - x, NARROWEST)),
            "height": "15" if is_bad else "11",
            "say": self._bar_text(bar, row),
            "url": admin_url("chroniker_run_change", bar.run.pk) if is_linked and bar.run is not None else "",
        }

    def _bar_text(self, bar: Bar, row: JobRow) -> str:
        words = {"name": row.name, "time": short_time(bar.start, self.found.now)}
        words |= {"length": short_duration(bar.end - bar.start), "state": str(state(bar.code).word).lower()}
        if bar.code == "expected":
            if row.usual is None:
                return _("%(name)s: due %(time)s") % words
            return _("%(name)s: due %(time)s, usually %(length)s") % words
        if bar.code in ("running", "queued"):
            return _("%(name)s: %(state)s since %(time)s") % words
        return _("%(name)s, %(time)s: %(state)s after %(length)s") % words

    def _band(self, band: Band, row: JobRow, top: int) -> dict[str, Any]:
        x = self.x(band.start)
        shape, tone = ("ghost", "idle") if band.is_expected else ("soft", "bad" if band.failed else "good")
        return {
            "class": shape,
            "tone": tone,
            "x": _pixels(x),
            "y": _pixels(top + 6 + band.is_expected * 0.5),
            "width": _pixels(max(self.x(band.end) - x, 1)),
            "height": "9" if not band.is_expected else "8",
            "say": self._band_label(band, row),
            "url": "",
        }

    def _band_label(self, band: Band, row: JobRow) -> str:
        words = {"name": row.name, "usual": short_duration(row.usual)}
        if band.is_expected:
            return _("%(name)s: many runs expected, usually %(usual)s") % words
        runs = band.succeeded + band.failed
        words |= {
            "n": str(runs),
            "share": percent(band.succeeded, runs),
            "time": short_time(band.start, self.found.now),
        }
        return _("%(name)s, from %(time)s: %(n)s runs, %(share)s succeeded") % words


def _join_bands(bands: list[Band]) -> list[Band]:
    """Bands that touch each other and agree become one: an hour with failures stays apart."""
    joined: list[Band] = []
    for band in sorted(bands, key=lambda each: each.start):
        last = joined[-1] if joined else None
        if (
            last is not None
            and last.end == band.start
            and bool(last.failed) == bool(band.failed)
            and not band.is_expected
        ):
            sums = (last.succeeded + band.succeeded, last.failed + band.failed, last.seconds + band.seconds)
            joined[-1] = Band(last.start, band.end, *sums)
        else:
            joined.append(band)
    return joined


def _shorten_name(name: str) -> str:
    return name if len(name) <= LETTERS else f"{name[: LETTERS - 1]}…"


def _pixels(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
