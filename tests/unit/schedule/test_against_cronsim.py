"""cronsim follows Debian's cron and shares no code with croniter: an oracle for expressions and for clock changes."""

from __future__ import annotations

import datetime as dt
from itertools import islice
from random import Random
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim

from chroniker.exceptions import ScheduleError
from chroniker.schedule import next_after, preview
from chroniker.schedule.zones import to_wall, zone
from tests.unit.schedule.samples import (
    CHANGES,
    ZONES,
    a_fixed_expression_near_midnight,
    an_expression,
    cron,
    utc,
)

MINUTE = dt.timedelta(minutes=1)


def cronsim_says(expression: str, zone_name: str, start: dt.datetime, n: int) -> list[dt.datetime]:
    simulated = CronSim(expression, start.astimezone(ZoneInfo(zone_name)))
    return [instant.astimezone(dt.UTC) for instant in islice(simulated, n)]


def compare(expression: str, zone_name: str, start: dt.datetime, n: int) -> None:
    expected = cronsim_says(expression, zone_name, start, n)
    try:
        found = preview(cron(expression, zone_name), start, n)
    except ScheduleError:
        assert expected == [], f"{expression!r} was refused"
    else:
        assert found == expected, f"{expression!r} in {zone_name} from {start}"


@pytest.mark.parametrize("seed", range(8))
def test_expressions_mean_what_they_mean_to_debian_cron(seed: int) -> None:
    random = Random(seed)
    for _ in range(125):
        start = utc(2000, 1, 1) + dt.timedelta(seconds=random.randrange(10**9))
        compare(an_expression(random), "UTC", start, 3)


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: f"{change[0]}-{change[1]:%Y-%m}")
def test_a_fixed_time_meets_a_clock_change_as_in_debian_cron(change: tuple[str, dt.datetime]) -> None:
    zone_name, moment = change
    random = Random(str(change))
    for _ in range(60):
        # Not from inside the hour that comes twice: cronsim forgets there which of the two it starts in.
        start = moment.replace(tzinfo=dt.UTC) - dt.timedelta(minutes=random.randint(0, 300))
        compare(a_fixed_expression_near_midnight(random), zone_name, start, 8)


#: cronsim walks hours in steps of 3600 s and so misses part of an hour where clocks move by half an hour, stops moving
#: altogether where they go back past midnight (St. John's), and names times of a day that was left out (Apia). Debian's
#: cron looks at the clock each minute; so does the next test, for these zones too.
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
            wall = to_wall(zone(zone_name), moment)
            if wall.hour in hours and wall.minute in minutes:
                expected.append(moment.replace(tzinfo=dt.UTC))
        start = (begin - MINUTE).replace(tzinfo=dt.UTC)
        assert preview(cron(expression, zone_name), start, len(expected)) == expected


def test_seconds_stand_first_and_obey_the_same_rules() -> None:
    """Here we part from cronsim, which gives expressions with seconds no treatment of clock changes at all."""
    start = utc(2026, 3, 28, 12)
    assert next_after(cron("15 30 2 * * *", "Europe/Paris"), start) == utc(2026, 3, 29, 1)
    assert cronsim_says("15 30 2 * * *", "Europe/Paris", start, 1) == [utc(2026, 3, 30, 0, 30, 15)]


@pytest.mark.parametrize("seed", range(3))
def test_expressions_with_seconds_mean_the_same_to_cronsim(seed: int) -> None:
    random = Random(seed)
    for _ in range(60):
        seconds = random.choice(("0", "30", "*/15", "5-10", "59", "*"))
        compare(f"{seconds} {an_expression(random)}", "UTC", utc(2024, 1, random.randint(1, 28), 7, 8, 9), 4)
