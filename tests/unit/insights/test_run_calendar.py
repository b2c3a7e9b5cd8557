"""The days of a schedule history, compared with the date of every minute."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from chroniker.insights.ledger import LedgerEntry, NoRunReason
from chroniker.insights.run_calendar import (
    CalendarMark,
    TimeOrHourCell,
    calendar_cells_of_entries,
    calendar_cells_of_hours,
    calendar_days,
    mark_of_entry,
    put_cells_into_days,
)
from chroniker.models import Run, RunHour, Status
from tests.unit.schedule.samples import CHANGES, utc

MINUTE = dt.timedelta(minutes=1)


@settings(max_examples=25, deadline=None)
@given(change=st.sampled_from(CHANGES), after=st.integers(0, 5))
def test_each_minute_is_in_the_day_of_its_local_date(change: tuple[str, dt.datetime], after: int) -> None:
    zone = ZoneInfo(change[0])
    last = change[1].date() + dt.timedelta(days=after)
    days = calendar_days(zone, last, 7)
    dates = Counter[dt.date]()
    moment = days[0].start
    while moment < days[-1].end:
        dates[moment.astimezone(zone).date()] += 1
        moment += 10 * MINUTE
    returns = zone.key == "America/St_Johns"  # one minute after midnight its clock goes back to the date before
    for day in days:
        assert abs(dates[day.date] - day.hours * 6) <= returns, day
    assert [day.date for day in days] == [last - dt.timedelta(days=back) for back in range(6, -1, -1)]


def test_a_day_with_a_clock_change_has_23_or_25_hours() -> None:
    spring = calendar_days(ZoneInfo("Europe/Berlin"), dt.date(2026, 3, 30), 3)
    autumn = calendar_days(ZoneInfo("Europe/Berlin"), dt.date(2026, 10, 26), 3)
    assert [day.hours for day in (*spring, *autumn)] == [24, 23, 24, 24, 25, 24]
    assert [day.hours for day in calendar_days(ZoneInfo("Pacific/Apia"), dt.date(2011, 12, 31), 2)] == [0, 24]


def test_a_cell_is_in_the_day_that_contains_it() -> None:
    days = calendar_days(ZoneInfo("Asia/Tokyo"), dt.date(2026, 11, 3), 2)
    moments = [utc(2026, 11, 1, 14, 59), utc(2026, 11, 1, 15), utc(2026, 11, 2, 14, 59), utc(2026, 11, 3, 15)]
    put_cells_into_days(days, [TimeOrHourCell(each, CalendarMark.SUCCEEDED) for each in reversed(moments)])
    assert [[cell.start for cell in day.cells] for day in days] == [[moments[1], moments[2]], []]


def a_run(status: Status, first: dt.datetime, last: dt.datetime) -> Run:
    return Run(status=status, scheduled_for=first, covered_until=last)


def test_the_mark_of_a_scheduled_time_is_that_of_its_last_attempt() -> None:
    first, last = utc(2026, 11, 2, 8), utc(2026, 11, 2, 9)
    run = a_run(Status.SUCCEEDED, first, last)
    failed, repeated = a_run(Status.FAILED, first, first), a_run(Status.SUCCEEDED, first, first)
    marks = {
        LedgerEntry(first, run): CalendarMark.MERGED,
        LedgerEntry(last, run): CalendarMark.SUCCEEDED,
        LedgerEntry(first, failed): CalendarMark.FAILED,
        LedgerEntry(first, failed, retry=repeated): CalendarMark.SUCCEEDED,
        LedgerEntry(first, a_run(Status.SKIPPED, first, last)): CalendarMark.SKIPPED,
        LedgerEntry(first, a_run(Status.LOST, first, first)): CalendarMark.FAILED,
        LedgerEntry(first, a_run(Status.TIMED_OUT, first, first)): CalendarMark.FAILED,
        LedgerEntry(first, a_run(Status.STOPPED, first, first)): CalendarMark.STOPPED,
        LedgerEntry(first, a_run(Status.RUNNING, first, first)): CalendarMark.OPEN,
        LedgerEntry(first, a_run(Status.CLAIMED, first, first)): CalendarMark.OPEN,
        LedgerEntry(first, no_run_reason=NoRunReason.DUE): CalendarMark.DUE,
        LedgerEntry(first, no_run_reason=NoRunReason.DISABLED): CalendarMark.SKIPPED,
    }
    assert {entry: mark_of_entry(entry) for entry in marks} == marks
    assert calendar_cells_of_entries([LedgerEntry(last, no_run_reason=NoRunReason.NO_RECORD, first=first)]) == []


def test_the_mark_of_an_hour_is_its_worst_result() -> None:
    hour = utc(2026, 11, 2, 8)
    rows = [
        RunHour(hour=hour, succeeded=59, lost=1),
        RunHour(hour=hour, succeeded=60, skipped=1),
        RunHour(hour=hour, skipped=60),
        RunHour(hour=hour),
    ]
    assert [cell.mark for cell in calendar_cells_of_hours(rows)] == [
        CalendarMark.FAILED,
        CalendarMark.SUCCEEDED,
        CalendarMark.SKIPPED,
        CalendarMark.UNKNOWN,
    ]
