"""The preview of a schedule: its next scheduled times, notes on clock changes, and warnings."""

from __future__ import annotations

import datetime as dt

import pytest

from chroniker.schedule import ScheduleSpec, clock_change_notes, find_schedule_warnings, next_instants
from tests.unit.schedule.samples import cron, utc

NOW = utc(2026, 3, 1)
SPRING = "On 2026-03-29 the clock jumps from 02:00 to 03:00"
AUTUMN = "On 2026-10-25 the clock shows 02:00 to 03:00 twice"


def test_the_preview_is_in_utc_and_after_now() -> None:
    assert next_instants(cron("0 3 * * *", "Europe/Paris"), utc(2026, 3, 1, 2), 2) == [
        utc(2026, 3, 2, 2),
        utc(2026, 3, 3, 2),
    ]
    assert next_instants(cron("0 3 * * *"), NOW, 0) == []


def test_a_schedule_that_ends_has_a_shorter_preview() -> None:
    assert next_instants(ScheduleSpec("ONCE", run_at=utc(2026, 4, 1)), NOW, 5) == [utc(2026, 4, 1)]
    assert next_instants(cron("0 3 * * *", ends_at=utc(2026, 3, 2, 3)), NOW, 5) == [
        utc(2026, 3, 1, 3),
        utc(2026, 3, 2, 3),
    ]


@pytest.mark.parametrize(
    "expression, policy, expected",
    [
        (
            "30 2 * * *",
            {},
            [
                f"{SPRING}. For the skipped times (02:30), the job runs once, at 03:00.",
                f"{AUTUMN}. For times in this period (02:30), the job runs only at the first occurrence.",
            ],
        ),
        (
            "0,30 2 * * *",
            {"dst_gap": "SKIP", "dst_fold": "SECOND"},
            [
                f"{SPRING}. The job does not run for the skipped times (02:00, 02:30).",
                f"{AUTUMN}. For times in this period (02:00, 02:30), the job runs only at the second occurrence.",
            ],
        ),
        (
            "0-40/10 2 * * *",
            {"dst_fold": "BOTH"},
            [
                f"{SPRING}. For the skipped times (02:00, 02:10, 02:20, 02:30, …), the job runs once, at 03:00.",
                f"{AUTUMN}. For times in this period (02:00, 02:10, 02:20, 02:30, …), the job runs at both "
                "occurrences.",
            ],
        ),
        (
            "0 * * * *",
            {},
            [
                f"{SPRING}. This schedule follows real time, so no run is left out.",
                f"{AUTUMN}. This schedule follows real time, so for times in this period (02:00) the job runs at both "
                "occurrences.",
            ],
        ),
        (
            "0 */2 * * *",
            {},
            [
                f"{SPRING}. This schedule follows real time, so the job does not run for the skipped times (02:00).",
                f"{AUTUMN}. This schedule follows real time, so for times in this period (02:00) the job runs at both "
                "occurrences.",
            ],
        ),
        ("0 5 * * *", {}, []),
    ],
)
def test_notes_on_clock_changes(expression: str, policy: dict[str, str], expected: list[str]) -> None:
    assert clock_change_notes(cron(expression, "Europe/Paris", **policy), NOW) == expected


def test_notes_on_hourly_rules_that_shift_against_the_clock() -> None:
    notes = clock_change_notes(ScheduleSpec("HOURLY", params="interval:24", timezone="Europe/Paris"), NOW)
    assert "60 minutes later" in notes[0] and "60 minutes earlier" in notes[1]
    # The sum of both offsets, three hours, is no reason to leave the note out.
    assert (
        "60 minutes later"
        in clock_change_notes(ScheduleSpec("HOURLY", params="interval:3", timezone="Europe/Paris"), NOW)[0]
    )
    assert clock_change_notes(ScheduleSpec("HOURLY", timezone="Europe/Paris"), NOW) == []
    assert "30 minutes" in clock_change_notes(ScheduleSpec("HOURLY", timezone="Australia/Lord_Howe"), NOW)[0]


def test_the_date_of_a_clock_change_is_that_of_its_time_zone() -> None:
    """In UTC it is still the day before."""
    spec = ScheduleSpec("HOURLY", params="interval:24", timezone="Pacific/Auckland")
    assert clock_change_notes(spec, NOW)[0].startswith("On 2026-04-05 the clock goes back")


@pytest.mark.parametrize("policy", ["RUN", "SKIP"])
def test_a_twelve_hourly_schedule_does_not_run_in_a_gap_at_midnight(policy: str) -> None:
    spec = cron("0 */12 * * *", "Africa/Cairo", dst_gap=policy)
    note = clock_change_notes(spec, utc(2026, 3, 1))[0]
    assert "so the job does not run for the skipped times (00:00)" in note
    midnight = utc(2026, 4, 23, 22)  # 00:00 in Cairo, where the clock jumps to 01:00
    assert next_instants(spec, utc(2026, 4, 23, 12), 1) == [utc(2026, 4, 24, 9)] and midnight not in next_instants(
        spec, NOW, 200
    )


def test_a_note_on_a_skipped_day() -> None:
    (note,) = clock_change_notes(cron("0 5 * * *", "Pacific/Apia"), utc(2011, 12, 1))
    assert "from 2011-12-30 00:00 to 2011-12-31 00:00. For the skipped times (05:00), the job runs once," in note


def test_no_note_without_a_clock_change() -> None:
    assert clock_change_notes(cron("30 2 * * *"), NOW) == []
    assert clock_change_notes(cron("30 2 * * *", "Europe/Paris", ends_at=NOW + dt.timedelta(days=1)), NOW) == []
    assert clock_change_notes(ScheduleSpec("ONCE", run_at=utc(2026, 5, 1), timezone="Europe/Paris"), NOW) == []


@pytest.mark.parametrize(
    "expression, expected",
    [
        ("59/15 * * * *", "“59/15” means only minute 59, not a step."),
        ("0 23/2 * * *", "“23/2” means only hour 23, not a step."),
        ("0 0 31/5 * *", "“31/5” means only day of the month 31, not a step."),
        ("*/90 * * * *", "“*/90” means only minute 0, not a step."),
        ("*/7 * * * *", "“*/7” restarts at 0: the step after minute 56 is only 4."),
        ("0 */5 * * *", "“*/5” restarts at 0: the step after hour 20 is only 4."),
        ("* 3 * * *", "“* 3” fires in every minute of the hour; to fire once an hour, write “0 3”."),
        ("0 0 29 * *", "Months without day 29 are skipped. For the last day of each month write “L”."),
        ("0 0 31 * *", "Months without day 31 are skipped. For the last day of each month write “L”."),
        ("*/1 3 * * *", "“*/1 3” fires in every minute of the hour; to fire once an hour, write “0 3”."),
        ("0 0 31 2 1-5", "None of the given months has day 31: the schedule fires only on the given days of the week."),
        (
            "0 0 1 * mon",
            "Day of the month and day of the week are both given: the schedule fires on days that match either "
            "of them.",
        ),
        (
            "0 0 */2 * mon",
            "The field for the day of the month or of the week begins with “*”: the schedule fires only on days "
            "that match both fields.",
        ),
    ],
)
def test_unusual_expressions_get_a_warning(expression: str, expected: str) -> None:
    assert expected in find_schedule_warnings(cron(expression))


@pytest.mark.parametrize(
    "expression",
    [
        "*/15 * * * *",
        "0 3 * * mon-fri",
        "0 0 L * *",
        "0 0 1,31 * *",
        "0 0 28 * *",
        "* * * * *",
        "bad",
        "0 9-17/4 * * *",
        "*/1 * * * *",
        "0 */1 */1 */1 */1",
    ],
)
def test_unambiguous_expressions_have_no_warning(expression: str) -> None:
    assert find_schedule_warnings(cron(expression)) == []


def test_warnings_about_days_that_some_months_lack() -> None:
    assert "without day 31" in find_schedule_warnings(ScheduleSpec("MONTHLY", params="bymonthday:31"))[0]
    assert "without day 30" in find_schedule_warnings(ScheduleSpec("MONTHLY", starts_at=utc(2026, 1, 30)))[0]
    assert "without day 29" in find_schedule_warnings(ScheduleSpec("YEARLY", starts_at=utc(2024, 2, 29)))[0]
    assert find_schedule_warnings(ScheduleSpec("YEARLY", starts_at=utc(2024, 1, 31))) == []
    assert find_schedule_warnings(ScheduleSpec("MONTHLY", params="bymonthday:28")) == []
    assert find_schedule_warnings(ScheduleSpec("MONTHLY", params="bymonthday:-1")) == []
    assert find_schedule_warnings(ScheduleSpec("DAILY", starts_at=utc(2024, 1, 31))) == []
