"""Recurrence rules have the same times as dateutil, which searches from a near anchor."""

from __future__ import annotations

import datetime as dt
from itertools import islice
from random import Random

import pytest
from dateutil import rrule

from chroniker.schedule.calendar_rule import CalendarRule
from chroniker.schedule.clock_rule import UNIT_SECONDS, SubdailyRule
from chroniker.schedule.recurrence import RecurrenceRule
from chroniker.schedule.rrule_params import NUMBER_PARAMETERS, parse_recurrence_params

SECOND = dt.timedelta(seconds=1)
DAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")

RULES = [
    ("YEARLY", "", {}),
    ("YEARLY", "interval:4;bymonth:2;bymonthday:29", {"bymonth": 2, "bymonthday": 29}),
    ("YEARLY", "byweekno:1,53;byweekday:su", {"byweekno": (1, 53), "byweekday": 6}),
    ("YEARLY", "byweekno:-1", {"byweekno": -1}),
    ("YEARLY", "byyearday:1,-1", {"byyearday": (1, -1)}),
    ("YEARLY", "byeaster:-2", {"byeaster": -2}),
    ("YEARLY", "byweekday:mo(+20)", {"byweekday": rrule.MO(20)}),
    ("YEARLY", "bymonth:5;byweekday:-1mo", {"bymonth": 5, "byweekday": rrule.MO(-1)}),
    ("YEARLY", "bysetpos:1,-1;byweekday:0", {"bysetpos": (1, -1), "byweekday": 0}),
    ("MONTHLY", "", {}),
    ("MONTHLY", "bymonthday:31", {"bymonthday": 31}),
    ("MONTHLY", "bymonthday:-1,1", {"bymonthday": (-1, 1)}),
    ("MONTHLY", "interval:5;byweekday:fr(-1),2tu", {"byweekday": (rrule.FR(-1), rrule.TU(2))}),
    ("MONTHLY", "bysetpos:-1;byweekday:mo,tu,we,th,fr", {"bysetpos": -1, "byweekday": range(5)}),
    (
        "MONTHLY",
        "bysetpos:2,-3;bymonthday:1,15;byhour:7,8",
        {"bysetpos": (2, -3), "bymonthday": (1, 15), "byhour": (7, 8)},
    ),
    ("WEEKLY", "interval:2;byweekday:tu,su;wkst:mo", {"byweekday": (1, 6), "wkst": 0}),
    ("WEEKLY", "interval:2;byweekday:tu,su;wkst:su", {"byweekday": (1, 6), "wkst": 6}),
    ("WEEKLY", "byday:mo,fr", {"byweekday": (0, 4)}),
    ("WEEKLY", "interval:3;bymonth:1,2", {"bymonth": (1, 2)}),
    ("DAILY", "interval:7;bymonthday:13", {"bymonthday": 13}),
    ("DAILY", "byhour:7,8,9;byminute:0,30", {"byhour": (7, 8, 9), "byminute": (0, 30)}),
    ("DAILY", "bysetpos:2;byhour:7,8,9", {"bysetpos": 2, "byhour": (7, 8, 9)}),
    ("HOURLY", "interval:5;byweekday:mo", {"byweekday": 0}),
    ("HOURLY", "interval:7;byhour:3", {"byhour": 3}),
    ("HOURLY", "byminute:0,15;bysetpos:-1", {"byminute": (0, 15), "bysetpos": -1}),
    ("HOURLY", "byminute:30", {"byminute": 30}),
    ("HOURLY", "interval:5;byminute:20,40;bysetpos:1", {"byminute": (20, 40), "bysetpos": 1}),
    ("MINUTELY", "interval:15;byhour:7,8,9", {"byhour": (7, 8, 9)}),
    ("MINUTELY", "interval:7;byminute:0", {"byminute": 0}),
    ("MINUTELY", "interval:90;bysecond:10,50", {"bysecond": (10, 50)}),
    ("SECONDLY", "interval:45;byhour:5;byminute:0,59", {"byhour": 5, "byminute": (0, 59)}),
    ("SECONDLY", "interval:7;bysecond:0,30", {"bysecond": (0, 30)}),
]


def made(frequency: str, text: str, anchor: dt.datetime) -> RecurrenceRule:
    kind = SubdailyRule if frequency in UNIT_SECONDS else CalendarRule
    return kind(frequency, parse_recurrence_params(frequency, text), anchor)


def walked(rule: RecurrenceRule, wall: dt.datetime, n: int) -> list[dt.datetime]:
    found: list[dt.datetime] = []
    time = rule.first_at_or_after(wall)
    while time is not None and len(found) < n:
        found.append(time)
        time = rule.first_at_or_after(time + SECOND)
    return found


def agree(frequency: str, text: str, keys: dict[str, object], anchor: dt.datetime, n: int = 40) -> None:
    rule = made(frequency, text, anchor)
    interval = parse_recurrence_params(frequency, text).interval
    reference = rrule.rrule(getattr(rrule, frequency), dtstart=anchor, **{"interval": interval, **keys})  # type: ignore[arg-type]
    expected = [time for time in islice(reference, n) if time.year < anchor.year + 90]
    assert walked(rule, anchor, len(expected)) == expected, (frequency, text, anchor)
    if expected:
        back, wall = [], expected[-1] + SECOND
        while (time := rule.last_before(wall)) is not None:
            back.append(time)
            wall = time
        assert back[::-1] == expected, (frequency, text, anchor)


@pytest.mark.parametrize("frequency, text, keys", RULES, ids=[f"{rule[0]} {rule[1]}" for rule in RULES])
def test_rules_have_the_same_times_as_in_dateutil(frequency: str, text: str, keys: dict[str, object]) -> None:
    agree(frequency, text, keys, dt.datetime(2024, 1, 1, 0, 0))
    agree(frequency, text, keys, dt.datetime(2023, 5, 31, 14, 45, 30))


@pytest.mark.parametrize("seed", range(6))
def test_random_rules_have_the_same_times_as_in_dateutil(seed: int) -> None:
    random = Random(seed)
    for _ in range(25):
        frequency = random.choice(("YEARLY", "MONTHLY", "WEEKLY", "DAILY", "HOURLY", "MINUTELY"))
        keys: dict[str, object] = {}
        for key, chance in (("bymonth", 0.2), ("bymonthday", 0.2), ("byhour", 0.3), ("byminute", 0.2)):
            if random.random() < chance:
                keys[key] = sorted(
                    {random.randint(NUMBER_PARAMETERS[key].low, min(NUMBER_PARAMETERS[key].high, 28)) for _ in range(3)}
                )
        if random.random() < 0.3 and "bymonthday" not in keys:
            keys["byweekday"] = sorted({random.randint(0, 6) for _ in range(3)})
        if frequency in ("MONTHLY", "DAILY") and random.random() < 0.2:
            # Not WEEKLY: in the week of its start dateutil counts positions from the start, RFC 5545 from the
            # beginning of the week, and so do we.
            keys["bysetpos"] = random.choice((1, -1, 2))
        if frequency in UNIT_SECONDS:
            keys = dict(list(keys.items())[:1])  # dateutil takes long where conditions are rarely met together
        interval = random.choice((1, 1, 2, 3, 5, 7))
        text = ";".join(f"{key}:{str(value).strip('[]')}" for key, value in {"interval": interval, **keys}.items())
        if frequency in UNIT_SECONDS and not _ever(frequency, text):
            continue
        agree(frequency, text, keys, dt.datetime(2020, random.randint(1, 12), random.randint(1, 28), 3, 30), 12)


def _ever(frequency: str, text: str) -> bool:
    return made(frequency, text, dt.datetime(2020, 1, 1, 3, 30)).first_at_or_after(dt.datetime(2020, 1, 1)) is not None


def test_a_daily_interval_of_hours_meets_the_hour_of_its_start() -> None:
    agree("HOURLY", "interval:24;byhour:5", {"byhour": 5}, dt.datetime(2024, 1, 1, 5, 0))
    other = made("HOURLY", "interval:24;byhour:6", dt.datetime(2024, 1, 1, 5, 0))
    assert other.first_at_or_after(dt.datetime(2024, 1, 1)) is None


@pytest.mark.parametrize("frequency, nth", [("MONTHLY", -1), ("YEARLY", 20)])
def test_weekdays_may_be_given_with_and_without_a_number(frequency: str, nth: int) -> None:
    """RFC 5545 adds them up. dateutil finds only the days that meet both, and of these two none."""
    anchor = dt.datetime(2024, 1, 1, 3, 30)
    apart = (rrule.rrule(getattr(rrule, frequency), dtstart=anchor, byweekday=d) for d in (rrule.MO, rrule.FR(nth)))
    expected = sorted(time for times in apart for time in islice(times, 200) if time.year < 2027)
    assert walked(made(frequency, f"byweekday:mo,fr({nth})", anchor), anchor, len(expected)) == expected


def test_an_old_anchor_gives_the_same_times() -> None:
    far = made("SECONDLY", "interval:7;byminute:0,30", dt.datetime(1971, 1, 1))
    seconds = int((dt.datetime(2026, 1, 1) - dt.datetime(1971, 1, 1)).total_seconds())
    near = made("SECONDLY", "interval:7;byminute:0,30", dt.datetime(2026, 1, 1) - dt.timedelta(seconds=seconds % 7))
    wall = dt.datetime(2026, 1, 1, 0, 0, 7)
    assert walked(far, wall, 50) == walked(near, wall, 50)
    assert far.last_before(wall + dt.timedelta(days=3)) == near.last_before(wall + dt.timedelta(days=3))


@pytest.mark.parametrize("days, years", [(275, [2024]), (276, []), (286, []), (-90, [2024])])
def test_a_day_after_easter_that_lies_in_the_next_year_is_left_out(days: int, years: list[int]) -> None:
    """Easter 2024 was on 31 March, 275 days before the year's end. For 286 days dateutil raises an error."""
    rule = made("YEARLY", f"byeaster:{days}", dt.datetime(2024, 1, 1))
    found = rule.first_at_or_after(dt.datetime(2024, 1, 1))
    assert [time.year for time in [found] if time is not None and time.year == 2024] == years
