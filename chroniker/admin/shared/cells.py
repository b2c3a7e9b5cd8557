"""Cells: a shown value as HTML for a page and as JSON for its refresh. A cell with a ``kind`` is drawn as a badge."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict, dataclass
from typing import Any

from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timesince, timeuntil
from django.utils.translation import gettext as _

NOTHING = "–"  # noqa: RUF001  a dash, for an empty cell


@dataclass(frozen=True, slots=True)
class Cell:
    """One value. ``kind`` selects the colour of the badge; the text alone must be enough to understand it."""

    text: str
    kind: str = ""
    note: str = ""  # second line, less prominent
    url: str = ""

    def json(self) -> dict[str, Any]:
        return asdict(self)

    def html(self, name: str, label: str = "") -> SafeString:
        """``name`` identifies the cell for the refresh; ``label`` is shown on narrow screens, without a table head."""
        return format_html(
            '<span class="chroniker-cell" data-cell="{}" data-kind="{}">{}{}<small data-part="note">{}</small></span>',
            name,
            self.kind,
            format_html('<span class="chroniker-label">{}: </span>', label) if label else "",
            self._word(),
            self.note,
        )

    def _word(self) -> SafeString:
        if self.url:
            return format_html('<a href="{}" data-part="text">{}</a>', self.url, self.text)
        return format_html('<span data-part="text">{}</span>', self.text)


@dataclass(frozen=True, slots=True)
class ProgressCell(Cell):
    """A progress bar with its two numbers; hidden without a total."""

    done: int | None = None
    total: int | None = None

    def _word(self) -> SafeString:
        return format_html(
            '<progress data-part="progress" value="{}" max="{}" aria-label="{}"{}></progress>'
            '<span data-part="text">{}</span>',
            self.done or 0,
            self.total or 1,
            _("Progress"),
            SafeString("") if self.total else SafeString(" hidden"),
            self.text,
        )


def progress(total: int | None, done: int | None, note: str = "") -> Cell:
    """“13 / 77 (16 %)”, and the bar. Also for impossible numbers: more done than the total, or a total of 0."""
    if total is None or done is None:
        return ProgressCell("", note=note)
    if total <= 0:
        return ProgressCell(f"{done}", note=note)
    done = min(done, total)
    percent = 100 * done // total
    return ProgressCell(f"{done} / {total} ({percent} %)", note=note, done=done, total=total)


def moment(value: dt.datetime | None) -> str:
    """In the current time zone, to the second, in the same format for every language."""
    return f"{timezone.localtime(value):%Y-%m-%d %H:%M:%S}" if value else NOTHING


def distance(value: dt.datetime, now: dt.datetime) -> str:
    """“in 4 minutes”, “3 hours ago”."""
    if abs(value - now) < dt.timedelta(minutes=1):
        seconds = int((value - now).total_seconds())
        return (_("in %(n)d s") if seconds > 0 else _("%(n)d s ago")) % {"n": abs(seconds)}
    if value > now:
        return _("in %(time)s") % {"time": timeuntil(value, now, depth=1)}
    return _("%(time)s ago") % {"time": timesince(value, now, depth=1)}


def span(length: dt.timedelta) -> str:
    """A duration in its two largest units."""
    seconds = max(length.total_seconds(), 0)
    if seconds < 60:
        return _("%(n).1f s") % {"n": seconds}
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return _("%(m)d min %(s)d s") % {"m": minutes, "s": rest}
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return _("%(h)d h %(m)d min") % {"h": hours, "m": minutes}
    return _("%(d)d d %(h)d h") % {"d": hours // 24, "h": hours % 24}
