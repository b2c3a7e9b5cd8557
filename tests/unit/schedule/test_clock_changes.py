"""How the policies for skipped and repeated hours affect scheduled times."""

from __future__ import annotations

import datetime as dt
from functools import cache
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chroniker.schedule import ScheduleSpec, next_instants
from chroniker.schedule.zones import to_wall_time, zone
from tests.unit.schedule.samples import CHANGES, cron, utc

DAY = dt.timedelta(days=1)


def local_times(spec: ScheduleSpec, start: dt.datetime, n: int) -> list[str]:
    where = zone(spec.timezone)
    return [f"{instant.astimezone(where):%d %H:%M%z}" for instant in next_instants(spec, start, n)]


@pytest.mark.parametrize(
    "gap, expected",
    [
        ("RUN", ["28 02:30+0100", "29 03:00+0200", "30 02:30+0200"]),
        ("SKIP", ["28 02:30+0100", "30 02:30+0200", "31 02:30+0200"]),
    ],
)
def test_a_time_in_a_skipped_hour(gap: str, expected: list[str]) -> None:
    assert local_times(cron("30 2 * * *", "Europe/Paris", dst_gap=gap), utc(2026, 3, 28), 3) == expected


@pytest.mark.parametrize(
    "fold, expected",
    [
        ("FIRST", ["24 02:30+0200", "25 02:30+0200", "26 02:30+0100"]),
        ("SECOND", ["24 02:30+0200", "25 02:30+0100", "26 02:30+0100"]),
        ("BOTH", ["24 02:30+0200", "25 02:30+0200", "25 02:30+0100"]),
    ],
)
def test_a_time_in_a_repeated_hour(fold: str, expected: list[str]) -> None:
    assert local_times(cron("30 2 * * *", "Europe/Paris", dst_fold=fold), utc(2026, 10, 24), 3) == expected


def test_skipped_times_run_once_together_with_the_following_time() -> None:
    spec = cron("0,10,20,30,40,50 2 * * *", "Europe/Paris")
    assert local_times(spec, utc(2026, 3, 29), 2) == ["29 03:00+0200", "30 02:00+0200"]
    spec = cron("0,30 2,3 * * *", "Europe/Paris")
    assert local_times(spec, utc(2026, 3, 29), 3) == ["29 03:00+0200", "29 03:30+0200", "30 02:00+0200"]


@pytest.mark.parametrize(
    "expression, per_change",
    [("0 * * * *", 24), ("*/15 * * * *", 96), ("0 */2 * * *", 12), ("* 2 * * *", 0)],
)
def test_wildcards_follow_real_time_with_any_policy(expression: str, per_change: int) -> None:
    for gap, fold in (("RUN", "FIRST"), ("SKIP", "BOTH"), ("RUN", "SECOND")):
        spec = cron(expression, "Europe/Paris", dst_gap=gap, dst_fold=fold)
        instants = next_instants(spec, utc(2026, 3, 28, 22, 59, 59), 200)
        shortest_day = [i for i in instants if i < utc(2026, 3, 29, 22)]
        # 23 hours; of the even ones, the second is missing
        assert len(shortest_day) == {24: 23, 96: 92, 12: 11, 0: 0}[per_change]
        instants = next_instants(spec, utc(2026, 10, 24, 21, 59, 59), 200)
        assert len([i for i in instants if i < utc(2026, 10, 25, 23)]) == {24: 25, 96: 100, 12: 13, 0: 120}[per_change]


@pytest.mark.parametrize(
    "zone_name, start, expected",
    [
        ("Australia/Lord_Howe", utc(2026, 10, 3, 2), ["04 02:30+1100", "05 02:15+1100"]),
        ("Australia/Lord_Howe", utc(2026, 4, 4, 2), ["05 02:15+1030", "06 02:15+1030"]),
        ("Pacific/Apia", utc(2011, 12, 29, 11), ["29 02:15-1000", "31 00:00+1400", "31 02:15+1400"]),
        ("Asia/Pyongyang", utc(2015, 8, 13, 18), ["15 02:15+0830", "16 02:15+0830"]),
    ],
)
def test_unusual_changes_give_correct_local_times(zone_name: str, start: dt.datetime, expected: list[str]) -> None:
    assert local_times(cron("15 2 * * *", zone_name), start, len(expected)) == expected


def test_changes_at_midnight() -> None:
    midnight = cron("0 0 * * *", "America/Sao_Paulo")
    assert local_times(midnight, utc(2017, 10, 14, 12), 2) == ["15 01:00-0200", "16 00:00-0200"]
    late = cron("30 23 * * *", "America/Sao_Paulo")
    assert local_times(late, utc(2018, 2, 17, 12), 2) == ["17 23:30-0200", "18 23:30-0300"]


def test_the_first_moment_after_the_gap_runs_once_in_dublin() -> None:
    assert local_times(cron("30 1 * * *", "Europe/Dublin"), utc(2026, 3, 28, 12), 1) == ["29 02:00+0100"]
    assert local_times(cron("30 1 * * *", "Europe/Dublin"), utc(2026, 10, 24, 12), 2) == [
        "25 01:30+0100",
        "26 01:30+0000",
    ]


def test_hourly_rules_count_real_hours() -> None:
    spec = ScheduleSpec("HOURLY", params="interval:6", starts_at=utc(2026, 3, 28, 5), timezone="Europe/Paris")
    assert local_times(spec, utc(2026, 3, 28, 18), 3) == ["29 00:00+0100", "29 07:00+0200", "29 13:00+0200"]


def test_rules_with_byhour_follow_the_policy() -> None:
    spec = ScheduleSpec("MINUTELY", params="interval:20;byhour:2", timezone="Europe/Paris")
    assert local_times(spec, utc(2026, 3, 29), 2) == ["29 03:00+0200", "30 02:00+0200"]
    assert len([t for t in local_times(spec, utc(2026, 10, 24, 22), 9) if t.startswith("25")]) == 3


def test_hourly_rules_with_byweekday_fire_in_each_real_hour() -> None:
    spec = ScheduleSpec("HOURLY", params="byweekday:su", timezone="Europe/Paris")
    assert len([t for t in local_times(spec, utc(2026, 3, 28, 12), 24) if t.startswith("29")]) == 23
    assert len([t for t in local_times(spec, utc(2026, 10, 24, 12), 30) if t.startswith("25")]) == 25


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: f"{change[0]}-{change[1]:%Y-%m}")
@settings(max_examples=25, deadline=None)
@given(minute=st.integers(0, 24 * 60 - 1))
def test_the_policy_decides_how_often_a_daily_time_fires(change: tuple[str, dt.datetime], minute: int) -> None:
    """Counts against the clock itself, minute by minute."""
    zone_name, begin = change
    time = dt.time(minute // 60, minute % 60)
    shown = clock_of_three_days(zone_name, begin)
    times = [wall for wall in shown if wall.time() == time]
    # A skipped time runs at the first time after the gap, which may be the scheduled time of the next day.
    gaps = [
        after
        for before, after in left_out(shown)
        if after.time() != time
        and any(before < dt.datetime.combine(day, time) < after for day in (before, before + DAY))
    ]

    def fired(gap: str, fold: str) -> int:
        spec = cron(f"{time.minute} {time.hour} * * *", zone_name, dst_gap=gap, dst_fold=fold)
        start, end = begin.replace(tzinfo=dt.UTC) - dt.timedelta(minutes=1), begin.replace(tzinfo=dt.UTC) + 3 * DAY
        return len([instant for instant in next_instants(spec, start, 9) if instant < end])

    assert fired("SKIP", "BOTH") == len(times)
    assert fired("RUN", "BOTH") == len(times) + len(gaps)
    assert fired("RUN", "FIRST") == fired("RUN", "SECOND") == len(set(times)) + len(gaps)


@cache
def clock_of_three_days(zone_name: str, begin: dt.datetime) -> list[dt.datetime]:
    return [
        to_wall_time(zone(zone_name), begin.replace(tzinfo=dt.UTC) + dt.timedelta(minutes=n))
        for n in range(3 * 24 * 60)
    ]


def left_out(shown: list[dt.datetime]) -> list[tuple[dt.datetime, dt.datetime]]:
    """Where the clock jumped: the minute before and the minute after."""
    return [pair for pair in pairwise(shown) if pair[1] - pair[0] > dt.timedelta(minutes=1)]
