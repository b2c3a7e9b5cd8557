"""The days of a schedule history in the job's time zone, and the results of their scheduled times. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from django.db import models
from django.utils.translation import gettext_lazy as _

from chroniker.insights.ledger import LedgerEntry, NoRunReason
from chroniker.models import OPEN_STATUSES, RunHour, Status

HOUR = dt.timedelta(hours=1)


class CalendarMark(models.TextChoices):
    """What a cell of the calendar shows. The order is that of importance: the worst of an hour comes first."""

    FAILED = "FAILED", _("failed")
    OPEN = "OPEN", _("queued or running")
    DUE = "DUE", _("due, not yet started")
    MERGED = "MERGED", _("merged into a later run")
    SUCCEEDED = "SUCCEEDED", _("succeeded")
    STOPPED = "STOPPED", _("stopped")
    SKIPPED = "SKIPPED", _("skipped, with a reason")
    UNKNOWN = "UNKNOWN", _("no record")


@dataclass(frozen=True, slots=True)
class TimeOrHourCell:
    """One scheduled time, or one hour with all its scheduled times."""

    start: dt.datetime
    mark: CalendarMark
    entry: LedgerEntry | None = None
    hour: RunHour | None = None


@dataclass(slots=True)
class CalendarDay:
    """One day. ``hours`` is not 24 if the clock changes; it is 0 for a day that the zone leaves out."""

    date: dt.date
    start: dt.datetime
    end: dt.datetime
    cells: list[TimeOrHourCell] = field(default_factory=list)

    @property
    def hours(self) -> float:
        return (self.end - self.start) / HOUR


def calendar_days(zone: ZoneInfo, last_date: dt.date, n_days: int) -> list[CalendarDay]:
    """``n_days`` days up to ``last_date``, in order. Every moment between the first start and the last end is in one.

    If a clock change returns to the previous date for some minutes, the minutes before it belong to the previous date.
    """
    dates = [last_date - dt.timedelta(days=back) for back in range(n_days - 1, -2, -1)]
    starts = [_midnight(date, zone) for date in dates]
    return [
        CalendarDay(date, start, max(start, end))
        for date, start, end in zip(dates[:-1], starts[:-1], starts[1:], strict=True)
    ]


def _midnight(date: dt.date, zone: ZoneInfo) -> dt.datetime:
    """The start of this date: the end of the gap if the clock skips midnight; the second midnight if there are two."""
    local = dt.datetime.combine(date, dt.time(), zone)
    return max(local.replace(fold=fold).astimezone(dt.UTC) for fold in (0, 1))


def put_cells_into_days(days: Sequence[CalendarDay], cells: Iterable[TimeOrHourCell]) -> None:
    """Put each cell into its day; cells outside the days are left out."""
    for cell in sorted(cells, key=lambda each: each.start):
        day = next((day for day in days if day.start <= cell.start < day.end), None)
        if day is not None:
            day.cells.append(cell)


def calendar_cells_of_entries(entries: Iterable[LedgerEntry]) -> list[TimeOrHourCell]:
    """One cell for each scheduled time. Ranges without a record have none: their number is unknown."""
    return [
        TimeOrHourCell(entry.instant, mark_of_entry(entry), entry)
        for entry in entries
        if entry.no_run_reason != NoRunReason.NO_RECORD
    ]


def calendar_cells_of_hours(hours: Iterable[RunHour]) -> list[TimeOrHourCell]:
    """One cell for each hour, with the worst of its results.

    The counts are of attempts: they do not show which failures a retry has corrected.
    """
    return [TimeOrHourCell(hour.hour, _mark_of_hour(hour), hour=hour) for hour in hours]


def mark_of_entry(entry: LedgerEntry) -> CalendarMark:
    verdict = entry.verdict
    if isinstance(verdict, NoRunReason):
        marks = {NoRunReason.DUE: CalendarMark.DUE, NoRunReason.DISABLED: CalendarMark.SKIPPED}
        return marks.get(verdict, CalendarMark.UNKNOWN)
    if verdict in OPEN_STATUSES:
        return CalendarMark.OPEN
    if verdict == Status.SUCCEEDED:
        return CalendarMark.MERGED if entry.is_merged else CalendarMark.SUCCEEDED
    marks_of_ends = {Status.SKIPPED: CalendarMark.SKIPPED, Status.STOPPED: CalendarMark.STOPPED}
    return marks_of_ends.get(verdict, CalendarMark.FAILED)


def _mark_of_hour(hour: RunHour) -> CalendarMark:
    counts = {
        CalendarMark.FAILED: hour.failed + hour.timed_out + hour.lost,
        CalendarMark.STOPPED: hour.stopped,
        CalendarMark.SUCCEEDED: hour.succeeded,
        CalendarMark.SKIPPED: hour.skipped,
    }
    return next((mark for mark, number in counts.items() if number), CalendarMark.UNKNOWN)
