"""What is shown beside a schedule: its next instants, what clock changes make of it, and what may not be meant."""

from __future__ import annotations

import datetime as dt

import pytest

from chroniker.schedule import Spec, dst_notes, preview, warnings
from tests.unit.schedule.samples import cron, utc

NOW = utc(2026, 3, 1)
SPRING = "On 2026-03-29 the clock jumps from 02:00 to 03:00"
AUTUMN = "On 2026-10-25 the clock shows 02:00 to 03:00 twice"


def test_the_next_instants_are_in_utc_and_after_now() -> None:
    assert preview(cron("0 3 * * *", "Europe/Paris"), utc(2026, 3, 1, 2), 2) == [utc(2026, 3, 2, 2), utc(2026, 3, 3, 2)]
    assert preview(cron("0 3 * * *"), NOW, 0) == []


def test_a_schedule_that_ends_shows_fewer() -> None:
    assert preview(Spec("ONCE", run_at=utc(2026, 4, 1)), NOW, 5) == [utc(2026, 4, 1)]
    assert preview(cron("0 3 * * *", ends_at=utc(2026, 3, 2, 3)), NOW, 5) == [utc(2026, 3, 1, 3), utc(2026, 3, 2, 3)]


@pytest.mark.parametrize(
    "expression, policy, expected",
    [
        (
            "30 2 * * *",
            {},
            [f"{SPRING}: what is left out (02:30) runs once, at 03:00.", f"{AUTUMN}: 02:30 runs the first time only."],
        ),
        (
            "0,30 2 * * *",
            {"dst_gap": "SKIP", "dst_fold": "SECOND"},
            [
                f"{SPRING}: what is left out (02:00, 02:30) does not run.",
                f"{AUTUMN}: 02:00, 02:30 runs the second time only.",
            ],
        ),
        (
            "0-40/10 2 * * *",
            {"dst_fold": "BOTH"},
            [
                f"{SPRING}: what is left out (02:00, 02:10, 02:20, 02:30, …) runs once, at 03:00.",
                f"{AUTUMN}: 02:00, 02:10, 02:20, 02:30, … runs both times.",
            ],
        ),
        (
            "0 * * * *",
            {},
            [
                f"{SPRING}; this schedule follows real time, in which nothing lies between.",
                f"{AUTUMN}; this schedule follows real time and fires both times.",
            ],
        ),
        ("0 5 * * *", {}, []),
    ],
)
def test_notes_on_clock_changes(expression: str, policy: dict[str, str], expected: list[str]) -> None:
    assert dst_notes(cron(expression, "Europe/Paris", **policy), NOW) == expected


def test_a_rule_that_counts_hours_drifts_against_the_clock() -> None:
    notes = dst_notes(Spec("HOURLY", params="interval:24", timezone="Europe/Paris"), NOW)
    assert "60 minutes later" in notes[0] and "60 minutes earlier" in notes[1]
    assert dst_notes(Spec("HOURLY", timezone="Europe/Paris"), NOW) == []
    assert "30 minutes" in dst_notes(Spec("HOURLY", timezone="Australia/Lord_Howe"), NOW)[0]


def test_a_day_that_is_left_out_is_named() -> None:
    (note,) = dst_notes(cron("0 5 * * *", "Pacific/Apia"), utc(2011, 12, 1))
    assert "from 2011-12-30 00:00 to 2011-12-31 00:00: what is left out (05:00) runs once" in note


def test_there_is_nothing_to_say_where_no_clock_changes_or_the_schedule_ends_before() -> None:
    assert dst_notes(cron("30 2 * * *"), NOW) == []
    assert dst_notes(cron("30 2 * * *", "Europe/Paris", ends_at=NOW + dt.timedelta(days=1)), NOW) == []
    assert dst_notes(Spec("ONCE", run_at=utc(2026, 5, 1), timezone="Europe/Paris"), NOW) == []


@pytest.mark.parametrize(
    "expression, expected",
    [
        ("59/15 * * * *", "“59/15” means only minute 59, not a step."),
        ("0 23/2 * * *", "“23/2” means only hour 23, not a step."),
        ("0 0 31/5 * *", "“31/5” means only day of the month 31, not a step."),
        ("*/90 * * * *", "“*/90” means only minute 0, not a step."),
        ("*/7 * * * *", "“*/7” begins anew at 0: after minute 56 it is only 4 to the next."),
        ("0 */5 * * *", "“*/5” begins anew at 0: after hour 20 it is only 4 to the next."),
        ("* 3 * * *", "“* 3” fires in every minute of the hour; for once an hour write “0 3”."),
        ("0 0 31 * *", "A month that has no day 31 is left out. For the last day of each month write “L”."),
        ("0 0 1 * mon", "Day of the month and day of the week are both given: it fires where either matches."),
        ("0 0 */2 * mon", "Of the day of the month and of the week, one starts with “*”: it fires where both match."),
    ],
)
def test_warnings(expression: str, expected: str) -> None:
    assert expected in warnings(cron(expression))


@pytest.mark.parametrize(
    "expression", ["*/15 * * * *", "0 3 * * mon-fri", "0 0 L * *", "0 0 1,31 * *", "* * * * *", "bad", "0 9-17/4 * * *"]
)
def test_what_is_plain_gets_no_warning(expression: str) -> None:
    assert warnings(cron(expression)) == []


def test_rules_for_days_that_some_months_lack_get_one() -> None:
    assert "no day 31" in warnings(Spec("MONTHLY", params="bymonthday:31"))[0]
    assert "no day 30" in warnings(Spec("MONTHLY", starts_at=utc(2026, 1, 30)))[0]
    assert "no day 29" in warnings(Spec("YEARLY", starts_at=utc(2024, 2, 29)))[0]
    assert warnings(Spec("YEARLY", starts_at=utc(2024, 1, 31))) == []
    assert warnings(Spec("MONTHLY", params="bymonthday:-1")) == []
    assert warnings(Spec("DAILY", starts_at=utc(2024, 1, 31))) == []
