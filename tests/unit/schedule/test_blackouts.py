from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from chroniker.schedule import ClosedTime, ScheduleSpec, closed_span_from, closed_time_at, last_open_instant
from tests.unit.schedule.samples import utc

PARIS = "Europe/Paris"


def paris(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(PARIS)).astimezone(dt.UTC)


def is_closed(time: ClosedTime, text: str, timezone: str = PARIS) -> bool:
    instant = dt.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(timezone)).astimezone(dt.UTC)
    return closed_time_at([time], instant, timezone) is not None


def test_the_start_is_included_and_the_end_is_not() -> None:
    time = ClosedTime("move", paris("2026-05-01T22:00"), paris("2026-05-02T06:00"))
    assert [
        is_closed(time, text)
        for text in ("2026-05-01T21:59:59", "2026-05-01T22:00", "2026-05-02T05:59:59", "2026-05-02T06:00")
    ] == [False, True, True, False]
    assert not is_closed(time, "2026-05-08T23:00")


def test_weekly_blackouts_follow_wall_clock_time() -> None:
    # A Saturday evening in winter; the nights of 2026-03-29 and 2026-10-25 change the clock.
    time = ClosedTime("weekend", paris("2026-01-03T22:00"), paris("2026-01-04T06:00"), "WEEKLY")
    for saturday in ("2026-01-10", "2026-03-28", "2026-04-04", "2026-10-24", "2026-10-31", "2031-06-07"):
        following = (dt.date.fromisoformat(saturday) + dt.timedelta(days=1)).isoformat()
        edges = [f"{saturday}T21:59", f"{saturday}T22:00", f"{following}T05:59", f"{following}T06:00"]
        assert [is_closed(time, edge) for edge in edges] == [False, True, True, False], saturday
    assert not is_closed(time, "2025-12-27T23:00")  # before the first


def test_the_job_s_zone_applies() -> None:
    time = ClosedTime("night", paris("2026-01-05T22:00"), paris("2026-01-06T06:00"), "WEEKLY")
    assert closed_time_at([time], paris("2026-07-06T22:30"), PARIS)
    assert closed_time_at([time], paris("2026-07-06T22:30"), "UTC") is None  # there it is 21:00 to 05:00 all year
    assert closed_time_at([time], dt.datetime(2026, 7, 6, 21, 0, tzinfo=dt.UTC), "UTC")


@pytest.mark.parametrize(("hour", "shut"), [("00:30Z", True), ("01:30Z", True), ("02:30Z", False)])
def test_a_repeated_hour_is_closed_both_times(hour: str, shut: bool) -> None:
    time = ClosedTime("x", paris("2026-10-18T01:00"), paris("2026-10-18T03:00"), "WEEKLY")
    instant = dt.datetime.fromisoformat(f"2026-10-25T{hour}")
    assert (closed_time_at([time], instant, PARIS) is not None) is shut


def test_an_end_in_a_skipped_hour_gives_the_longer_blackout() -> None:
    time = ClosedTime("x", paris("2026-03-22T02:15"), paris("2026-03-22T02:45"), "WEEKLY")
    assert is_closed(time, "2026-03-29T03:15") and not is_closed(time, "2026-03-29T03:45")
    assert is_closed(time, "2026-04-05T02:30") and not is_closed(time, "2026-04-05T03:15")


def test_yearly_blackouts_across_new_year() -> None:
    time = ClosedTime("holidays", paris("2025-12-24T12:00"), paris("2026-01-02T00:00"), "YEARLY")
    for year in (2025, 2026, 2027, 2040):
        edges = [f"{year}-12-24T11:59", f"{year}-12-24T12:00", f"{year + 1}-01-01T23:59", f"{year + 1}-01-02T00:00"]
        assert [is_closed(time, edge) for edge in edges] == [False, True, True, False], year
    assert not is_closed(time, "2024-12-31T00:00")


def test_29_february_is_skipped_in_other_years() -> None:
    day = ClosedTime("leap day", paris("2024-02-29T00:00"), paris("2024-03-01T00:00"), "YEARLY")
    assert is_closed(day, "2028-02-29T12:00")
    assert not any(is_closed(day, text) for text in ("2025-02-28T23:59", "2025-03-01T00:00", "2026-03-01T12:00"))
    to_it = ClosedTime("to", paris("2024-02-27T00:00"), paris("2024-02-29T12:00"), "YEARLY")
    assert is_closed(to_it, "2025-02-28T23:59") and not is_closed(to_it, "2025-03-01T00:00")
    from_it = ClosedTime("from", paris("2024-02-29T12:00"), paris("2024-03-03T00:00"), "YEARLY")
    assert is_closed(from_it, "2025-03-01T00:00") and not is_closed(from_it, "2025-02-28T23:59")


def test_29_february_is_skipped_in_a_year_whose_clock_changes_at_the_beginning_of_march() -> None:
    day = ClosedTime("leap day", utc(1976, 2, 28, 14), utc(1976, 2, 29, 14), "YEARLY")
    assert closed_time_at([day], utc(1976, 2, 28, 14), "Australia/Lord_Howe")
    # At 14:00 UTC, which is midnight there, the clock jumped to 00:30.
    assert closed_time_at([day], utc(1981, 2, 28, 13, 45), "Australia/Lord_Howe") is None


def test_of_several_the_one_that_ends_last_is_returned() -> None:
    times = [
        ClosedTime("short", paris("2026-05-01T00:00"), paris("2026-05-01T06:00")),
        ClosedTime("long", paris("2026-05-01T01:00"), paris("2026-05-01T09:00")),
    ]
    found = closed_time_at(times, paris("2026-05-01T02:00"), PARIS)
    assert found is not None and (found.name, found.end) == ("long", paris("2026-05-01T09:00"))


def test_closed_instants_are_one_range_and_the_last_open_one_is_found() -> None:
    spec = ScheduleSpec("CRON", cron="0 * * * *", timezone=PARIS)
    night = [ClosedTime("night", paris("2026-05-01T22:00"), paris("2026-05-02T06:00"), "WEEKLY")]
    first = paris("2026-05-01T22:00")
    found = closed_span_from(spec, night, first, paris("2026-05-02T12:30"))
    assert found is not None and (found.start, found.end) == (first, paris("2026-05-02T05:00"))
    found = closed_span_from(spec, night, first, paris("2026-05-01T23:30"))
    assert found is not None and found.end == paris("2026-05-01T23:00")
    assert closed_span_from(spec, night, paris("2026-05-01T21:00"), first) is None
    assert last_open_instant(spec, night, paris("2026-05-01T20:00"), paris("2026-05-02T03:30")) == paris(
        "2026-05-01T21:00"
    )
    assert last_open_instant(spec, night, paris("2026-05-01T20:00"), paris("2026-05-02T09:30")) == paris(
        "2026-05-02T09:00"
    )


def test_adjacent_closed_times_of_one_name_are_one_range() -> None:
    spec = ScheduleSpec("CRON", cron="0 23 * * 5", timezone=PARIS)  # only in the night that is blacked out
    night = [ClosedTime("night", paris("2026-05-01T22:00"), paris("2026-05-02T06:00"), "WEEKLY")]
    found = closed_span_from(spec, night, paris("2026-05-01T23:00"), paris("2027-05-01T00:00"))
    assert found is not None and found.end == paris("2027-04-30T23:00")
    found = closed_span_from(spec, night, paris("2026-05-01T23:00"), paris("2026-05-08T23:00"))
    assert found is not None and found.end == paris("2026-05-08T23:00")


def test_the_last_instants_of_a_schedule_that_ends_in_a_blackout_are_closed() -> None:
    spec = ScheduleSpec("CRON", cron="0 * * * *", timezone=PARIS, ends_at=paris("2026-05-02T03:00"))
    night = [ClosedTime("night", paris("2026-05-01T22:00"), paris("2026-05-02T06:00"))]
    found = closed_span_from(spec, night, paris("2026-05-01T22:00"), paris("2026-05-03T00:00"))
    assert found is not None and found.end == paris("2026-05-02T03:00")
