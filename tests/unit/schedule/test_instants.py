"""Properties of every schedule: times increase, and both search directions find the same times."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise
from random import Random

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from chroniker.exceptions import ScheduleError
from chroniker.schedule import ScheduleSpec, latest_instant_until, next_instant_after, next_instants, validate_schedule
from tests.unit.schedule.samples import CHANGES, a_fixed_expression_near_midnight, an_expression, cron, utc

MICROSECOND = dt.timedelta.resolution
RULES = (
    ("YEARLY", "bymonth:3,10;byweekday:su(-1);byhour:2;byminute:30"),
    ("MONTHLY", "bymonthday:-1"),
    ("WEEKLY", "interval:2;byweekday:sa,su;byhour:1,2,3;byminute:30"),
    ("DAILY", "byhour:0,1,2;byminute:0,30"),
    ("HOURLY", "interval:5"),
    ("HOURLY", "interval:2;byweekday:su"),
    ("MINUTELY", "interval:7;byhour:0,2"),
    ("SECONDLY", "interval:1000"),
)


@st.composite
def specs(draw: st.DrawFn) -> ScheduleSpec:
    random = Random(draw(st.integers(0, 10**6)))
    zone, _ = draw(st.sampled_from(CHANGES))
    policy = {
        "dst_gap": draw(st.sampled_from(("RUN", "SKIP"))),
        "dst_fold": draw(st.sampled_from(("FIRST", "SECOND", "BOTH"))),
    }
    if draw(st.booleans()):
        make = draw(st.sampled_from((an_expression, a_fixed_expression_near_midnight)))
        return cron(make(random), zone, **policy)
    frequency, params = draw(st.sampled_from(RULES))
    starts_at = draw(
        st.none() | st.datetimes(dt.datetime(1999, 1, 1), dt.datetime(2010, 1, 1), timezones=st.just(dt.UTC))
    )
    return ScheduleSpec(frequency, params=params, timezone=zone, starts_at=starts_at, **policy)  # type: ignore[arg-type]


def moments() -> st.SearchStrategy[dt.datetime]:
    near = st.sampled_from(CHANGES).map(lambda change: change[1].replace(tzinfo=dt.UTC))
    return st.tuples(near, st.integers(-3600 * 10, 3600 * 20)).map(lambda pair: pair[0] + dt.timedelta(seconds=pair[1]))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(spec=specs(), moment=moments())
def test_next_and_latest_agree(spec: ScheduleSpec, moment: dt.datetime) -> None:
    try:
        validate_schedule(spec)
    except ScheduleError:
        assume(False)
    instants = next_instants(spec, moment, 8)
    assert all(earlier < later for earlier, later in pairwise(instants))
    assert all(instant > moment and instant.tzinfo is dt.UTC for instant in instants)
    for earlier, later in pairwise(instants):
        assert latest_instant_until(spec, earlier) == earlier
        assert latest_instant_until(spec, later - MICROSECOND) == earlier
        assert latest_instant_until(spec, earlier + (later - earlier) / 2) == earlier
        assert next_instant_after(spec, earlier + (later - earlier) / 2) == later
        assert next_instant_after(spec, earlier - MICROSECOND) == earlier


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(spec=specs(), moment=moments())
def test_no_instant_is_between_the_latest_and_the_next(spec: ScheduleSpec, moment: dt.datetime) -> None:
    try:
        latest = latest_instant_until(spec, moment)
    except ScheduleError:
        assume(False)
    following = next_instant_after(spec, moment)
    assert latest is None or (latest <= moment and next_instant_after(spec, latest) == following)
    assert following is None or following > moment


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(spec=specs(), moment=moments(), minutes=st.integers(0, 4000))
def test_latest_until_equals_the_last_of_a_walk(spec: ScheduleSpec, moment: dt.datetime, minutes: int) -> None:
    try:
        reached = instant = next_instant_after(spec, moment)
    except ScheduleError:
        assume(False)
    end = moment + dt.timedelta(minutes=minutes)
    for _ in range(5000):
        if instant is None or instant > end:
            break
        reached, instant = instant, next_instant_after(spec, instant)
    if reached is not None and reached <= end:
        assert latest_instant_until(spec, end) == reached


@pytest.mark.parametrize(
    "spec",
    [
        cron("*/5 * * * *"),
        cron("0 3 * * *"),
        cron("0 0 29 2 *"),
        cron("* * * * * *"),
        ScheduleSpec("SECONDLY", params="byweekday:mo"),
    ],
    ids=lambda spec: spec.cron or spec.frequency,
)
def test_long_outages_and_sparse_schedules_are_not_searched_step_by_step(spec: ScheduleSpec) -> None:
    latest = latest_instant_until(spec, utc(2095, 12, 31, 23, 59, 59))
    assert latest is not None
    following = next_instant_after(spec, latest)
    assert following is not None and following > utc(2095, 12, 31, 23, 59, 59)


def test_once_fires_once() -> None:
    moment = utc(2026, 3, 29, 1, 30)
    spec = ScheduleSpec("ONCE", run_at=moment)
    assert next_instant_after(spec, moment - MICROSECOND) == moment
    assert next_instant_after(spec, moment) is None
    assert latest_instant_until(spec, moment) == moment
    assert latest_instant_until(spec, moment - MICROSECOND) is None


@pytest.mark.parametrize(
    "more",
    [
        {"frequency": "CRON", "cron": "0 * * * *"},
        {"frequency": "HOURLY"},
        {"frequency": "DAILY", "params": "byhour:0,1,2,3,4,5"},
    ],
)
def test_start_and_end_are_included(more: dict[str, str]) -> None:
    spec = ScheduleSpec(**more, starts_at=utc(2026, 1, 1, 1), ends_at=utc(2026, 1, 1, 3))  # type: ignore[arg-type]
    assert next_instants(spec, utc(2020, 1, 1), 9) == [utc(2026, 1, 1, hour) for hour in (1, 2, 3)]
    assert latest_instant_until(spec, utc(2030, 1, 1)) == utc(2026, 1, 1, 3)
    assert latest_instant_until(spec, utc(2026, 1, 1, 1)) == utc(2026, 1, 1, 1)
    assert latest_instant_until(spec, utc(2026, 1, 1, 1) - MICROSECOND) is None
    assert next_instant_after(spec, utc(2026, 1, 1, 3)) is None


def test_a_schedule_may_end_at_its_start() -> None:
    spec = ScheduleSpec("DAILY", starts_at=utc(2026, 1, 1), ends_at=utc(2026, 1, 1))
    validate_schedule(spec)
    assert next_instants(spec, utc(2020, 1, 1), 9) == [utc(2026, 1, 1)]


def test_start_and_end_limit_one_time_schedules() -> None:
    assert (
        next_instant_after(ScheduleSpec("ONCE", run_at=utc(2026, 1, 1), ends_at=utc(2025, 1, 1)), utc(2020, 1, 1))
        is None
    )
    assert (
        latest_instant_until(ScheduleSpec("ONCE", run_at=utc(2026, 1, 1), starts_at=utc(2027, 1, 1)), utc(2030, 1, 1))
        is None
    )


@pytest.mark.parametrize(
    "frequency, params, expected",
    [
        ("SECONDLY", "interval:10", utc(2026, 1, 1, 0, 0, 20)),
        ("DAILY", "", utc(2026, 1, 3)),
        ("WEEKLY", "byweekday:th,fr", utc(2026, 1, 8)),
        ("MINUTELY", "byhour:5", utc(2026, 1, 1, 5, 2)),
    ],
)
def test_count_counts_from_the_start(frequency: str, params: str, expected: dt.datetime) -> None:
    spec = ScheduleSpec(frequency, params=f"{params};count:3", starts_at=utc(2026, 1, 1))
    assert len(next_instants(spec, utc(2020, 1, 1), 9)) == 3
    assert latest_instant_until(spec, utc(2050, 1, 1)) == expected
    assert next_instant_after(spec, expected) is None


def test_an_interval_of_seconds_meets_the_seconds_that_are_allowed() -> None:
    spec = ScheduleSpec("SECONDLY", params="interval:30;bysecond:31", starts_at=utc(2026, 1, 1, 0, 0, 1))
    assert next_instants(spec, utc(2026, 1, 1), 2) == [utc(2026, 1, 1, 0, minute, 31) for minute in (0, 1)]


def test_rules_without_a_start_count_from_2001_01_01_in_their_zone() -> None:
    spec = ScheduleSpec("WEEKLY", params="interval:2", timezone="Asia/Kolkata")
    assert next_instant_after(spec, utc(1980, 1, 1)) == utc(2000, 12, 31, 18, 30)
    assert next_instant_after(spec, utc(2001, 1, 1)) == utc(2001, 1, 14, 18, 30)
    assert next_instant_after(ScheduleSpec("HOURLY", timezone="Asia/Kolkata"), utc(2026, 1, 1)) == utc(
        2026, 1, 1, 0, 30
    )
    daily = ScheduleSpec("HOURLY", params="interval:24", timezone="Asia/Kolkata")
    assert next_instant_after(daily, utc(2026, 1, 1)) == utc(2026, 1, 1, 18, 30)
    assert next_instant_after(ScheduleSpec("YEARLY"), utc(2026, 1, 1)) == utc(2027, 1, 1)


def test_rules_with_a_start_count_from_its_local_time() -> None:
    spec = ScheduleSpec("WEEKLY", params="interval:2", timezone="Asia/Kolkata", starts_at=utc(2026, 1, 1, 20))
    # There it is Friday already.
    assert next_instants(spec, utc(2020, 1, 1), 2) == [utc(2026, 1, 1, 20), utc(2026, 1, 15, 20)]
    first_days = ScheduleSpec("MONTHLY", timezone="Asia/Kolkata", starts_at=utc(2026, 1, 31, 20))
    assert next_instants(first_days, utc(2020, 1, 1), 2) == [utc(2026, 1, 31, 20), utc(2026, 2, 28, 20)]


@pytest.mark.parametrize(
    "spec",
    [
        cron("0 3 * * *", "Europe/Paris"),
        cron("* * * * * *"),
        ScheduleSpec("DAILY"),
        ScheduleSpec("HOURLY"),
        ScheduleSpec("SECONDLY", params="byhour:3"),
    ],
)
def test_the_limits_of_datetime_are_no_error(spec: ScheduleSpec) -> None:
    assert latest_instant_until(spec, dt.datetime.min.replace(tzinfo=dt.UTC)) is None
    assert next_instant_after(spec, dt.datetime.max.replace(tzinfo=dt.UTC)) is None
    first = next_instant_after(spec, dt.datetime.min.replace(tzinfo=dt.UTC))
    assert first is not None and first.year in (1970, 2001)
    last = latest_instant_until(spec, dt.datetime.max.replace(tzinfo=dt.timezone(dt.timedelta(hours=-12))))
    assert last is not None and last.year == 8999


def test_an_instant_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        next_instant_after(cron("* * * * *"), dt.datetime(2026, 1, 1))
