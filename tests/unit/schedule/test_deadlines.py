"""Deadlines of a day, in the time zone of a job."""

from __future__ import annotations

import datetime as dt

import pytest

from chroniker.exceptions import ScheduleError
from chroniker.schedule import ClosedTime, ScheduleSpec
from chroniker.schedule.deadlines import Deadline, latest_deadline, next_deadline, parse_deadline_schedule

NIGHTLY = ScheduleSpec("CRON", cron="0 3 * * *", timezone="Europe/Paris")


def utc(day: int, hour: int, minute: int = 0, month: int = 3) -> dt.datetime:
    return dt.datetime(2026, month, day, hour, minute, tzinfo=dt.UTC)


def test_a_deadline_follows_the_clocks_of_the_zone() -> None:
    assert next_deadline("06:00", "Europe/Paris", utc(28, 5)) == utc(29, 4)  # summer time begins on the 29th
    assert next_deadline("6:00 mon-fri", "Europe/Paris", utc(27, 5, 1)) == utc(30, 4)


def test_the_last_instant_since_the_deadline_before_is_expected() -> None:
    assert latest_deadline("06:00", NIGHTLY, [], utc(3, 12)) == Deadline(utc(3, 5), utc(3, 2))
    assert latest_deadline("06:00", NIGHTLY, [], utc(3, 4)) == Deadline(utc(2, 5), utc(2, 2))
    # From Friday to Monday the last one counts.
    assert latest_deadline("06:00 mon-fri", NIGHTLY, [], utc(2, 5)) == Deadline(utc(2, 5), utc(2, 2))


def test_an_instant_at_the_deadline_counts_for_the_next_one() -> None:
    hourly = ScheduleSpec("CRON", cron="0 6 * * *", timezone="UTC")
    assert latest_deadline("06:00", hourly, [], utc(3, 7)) == Deadline(utc(3, 6), utc(2, 6))


def test_without_an_instant_nothing_is_expected() -> None:
    weekly = ScheduleSpec("CRON", cron="0 3 * * 1", timezone="UTC")
    assert latest_deadline("06:00", weekly, [], utc(3, 7)) == Deadline(utc(3, 6), None)  # a Tuesday


def test_instants_in_blackouts_are_not_expected() -> None:
    closed = [ClosedTime("move", utc(3, 0), utc(3, 23))]
    assert latest_deadline("06:00", NIGHTLY, closed, utc(3, 12)) == Deadline(utc(3, 5), None)


@pytest.mark.parametrize("text", ["", "6", "24:00", "06:60", "06:00 someday", "06:00 mon fri", "six", "06:00 9"])
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ScheduleError) as refused:
        parse_deadline_schedule(text, "UTC")
    assert refused.value.field == "alert_done_by"
