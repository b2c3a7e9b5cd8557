"""Comparison with cronsim, which follows Debian's cron and shares no code with croniter."""

from __future__ import annotations

import datetime as dt
from itertools import islice
from random import Random
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim

from chroniker.exceptions import ScheduleError
from chroniker.schedule import next_instant_after, next_instants
from chroniker.schedule.zones import to_wall_time, zone
from tests.unit.schedule.samples import (
    CHANGES,
    ZONES,
    a_fixed_expression_near_midnight,
    an_expression,
    cron,
    utc,
)

MINUTE = dt.timedelta(minutes=1)


def times_by_cronsim(expression: str, zone_name: str, start: dt.datetime, n: int) -> list[dt.datetime]:
    simulated = CronSim(expression, start.astimezone(ZoneInfo(zone_name)))
    return [instant.astimezone(dt.UTC) for instant in islice(simulated, n)]


def compare(expression: str, zone_name: str, start: dt.datetime, n: int) -> None:
    expected = times_by_cronsim(expression, zone_name, start, n)
    try:
        found = next_instants(cron(expression, zone_name), start, n)
    except ScheduleError:
        assert expected == [], f"{expression!r} was refused"
    else:
        assert found == expected, f"{expression!r} in {zone_name} from {start}"


@pytest.mark.parametrize("seed", range(8))
def test_expressions_have_the_same_times_as_in_debian_cron(seed: int) -> None:
    random = Random(seed)
    for _ in range(125):
        start = utc(2000, 1, 1) + dt.timedelta(seconds=random.randrange(10**9))
        compare(an_expression(random), "UTC", start, 3)


@pytest.mark.parametrize("expression", ["0 0 31 2 1-5", "0 0 30 2 0", "0 12 31 4,6 mon#1", "0 0 30,31 2 2-6/2"])
def test_an_impossible_day_or_a_weekday_fires_on_the_weekday(expression: str) -> None:
    compare(expression, "UTC", utc(2026, 1, 1), 10)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: f"{change[0]}-{change[1]:%Y-%m}")
def test_fixed_times_at_clock_changes_as_in_debian_cron(change: tuple[str, dt.datetime]) -> None:
    zone_name, moment = change
    random = Random(str(change))
    for _ in range(60):
        # Not from inside the repeated hour: cronsim does not know there in which of the two it starts.
        start = moment.replace(tzinfo=dt.UTC) - dt.timedelta(minutes=random.randint(0, 300))
        compare(a_fixed_expression_near_midnight(random), zone_name, start, 8)


#: cronsim steps by 3600 s: it misses part of an hour if the clock moves by half an hour, stops if the clock goes back
#: past midnight (St. John's), and returns times of a skipped day (Apia). Debian's cron reads the clock each minute; so
#: does the next test, for these zones too.
ODD_FOR_CRONSIM = {"Australia/Lord_Howe", "Asia/Pyongyang", "America/St_Johns", "Pacific/Apia"}


@pytest.mark.parametrize("zone_name", sorted(set(ZONES) - ODD_FOR_CRONSIM))
def test_wildcards_follow_real_time_as_in_debian_cron(zone_name: str) -> None:
    random = Random(zone_name)
    moments = [moment for name, moment in CHANGES if name == zone_name] or [dt.datetime(2026, 3, 1)]
    for _ in range(25):
        start = random.choice(moments).replace(tzinfo=dt.UTC) - dt.timedelta(minutes=random.randint(0, 300))
        compare(an_expression(random, hour_star=1), zone_name, start, 15)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: f"{change[0]}-{change[1]:%Y-%m}")
def test_wildcards_fire_whenever_the_clock_shows_their_time(change: tuple[str, dt.datetime]) -> None:
    zone_name, begin = change
    for expression, hours, minutes in (
        ("*/20 * * * *", range(24), (0, 20, 40)),
        ("7 */2 * * *", range(0, 24, 2), (7,)),
        ("* 1,2 * * *", (1, 2), range(60)),
        ("30 *,3 * * *", range(24), (30,)),
    ):
        expected = []
        for n in range(24 * 60):
            moment = begin + n * MINUTE
            wall = to_wall_time(zone(zone_name), moment.replace(tzinfo=dt.UTC))
            if wall.hour in hours and wall.minute in minutes:
                expected.append(moment.replace(tzinfo=dt.UTC))
        start = (begin - MINUTE).replace(tzinfo=dt.UTC)
        assert next_instants(cron(expression, zone_name), start, len(expected)) == expected


def test_expressions_with_seconds_follow_the_same_dst_rules() -> None:
    """cronsim differs: it does not handle clock changes for expressions with seconds."""
    start = utc(2026, 3, 28, 12)
    assert next_instant_after(cron("15 30 2 * * *", "Europe/Paris"), start) == utc(2026, 3, 29, 1)
    assert times_by_cronsim("15 30 2 * * *", "Europe/Paris", start, 1) == [utc(2026, 3, 30, 0, 30, 15)]


@pytest.mark.parametrize("seed", range(3))
def test_expressions_with_seconds_as_in_cronsim(seed: int) -> None:
    random = Random(seed)
    for _ in range(60):
        seconds = random.choice(("0", "30", "*/15", "5-10", "59", "*"))
        compare(f"{seconds} {an_expression(random)}", "UTC", utc(2024, 1, random.randint(1, 28), 7, 8, 9), 4)
