"""croniter expands the expressions. Its own search, without clock changes, must find the same times."""

from __future__ import annotations

import datetime as dt
from random import Random

import pytest
from croniter import croniter

from chroniker.exceptions import ScheduleError
from chroniker.schedule.cron_rule import CronRule
from tests.unit.schedule.samples import an_expression

SECOND = dt.timedelta(seconds=1)
SPECIAL = (
    "0 9 15W * *",
    "0 9 W1 * *",
    "0 9 2W * *",
    "30 4 31w * *",
    "0 0 l * *",
    "0 0 * * l5",
    "0 0 * * fri#5",
    "0 0 * 2 mon#2,l0",
)


def sampled(random: Random) -> str:
    expression = an_expression(random)
    # With "#" and a day of the month croniter requires both; crontab(5), cronsim and this project require one.
    return random.choice(SPECIAL) if "#" in expression or random.random() < 0.1 else expression


@pytest.mark.parametrize("seed", range(5))
def test_the_same_times_as_in_croniter(seed: int) -> None:
    random = Random(seed)
    for _ in range(60):
        expression = sampled(random)
        start = dt.datetime(2000, 1, 1) + dt.timedelta(seconds=random.randrange(10**9))
        try:
            rule = CronRule(expression)
        except ScheduleError:
            continue
        searching = croniter(expression, start, ret_type=dt.datetime, implement_cron_bug=True)
        ahead = [searching.get_next() for _ in range(3)]
        searching.set_current(start)
        behind = [searching.get_prev() for _ in range(3)]
        assert forwards(rule, start, 3) == ahead, expression
        assert backwards(rule, start, 3) == behind, expression


def forwards(rule: CronRule, wall: dt.datetime, n: int) -> list[dt.datetime]:
    found: list[dt.datetime] = []
    for _ in range(n):
        time = rule.first_at_or_after((found[-1] if found else wall) + SECOND)
        assert time is not None
        found.append(time)
    return found


def backwards(rule: CronRule, wall: dt.datetime, n: int) -> list[dt.datetime]:
    found: list[dt.datetime] = []
    for _ in range(n):
        time = rule.last_before(found[-1] if found else wall)
        assert time is not None
        found.append(time)
    return found


@pytest.mark.parametrize("expression", SPECIAL)
def test_special_days_of_a_year_are_the_same_as_in_croniter(expression: str) -> None:
    start = dt.datetime(2023, 12, 31, 23, 59)
    searching = croniter(expression, start, ret_type=dt.datetime)
    assert forwards(CronRule(expression), start, 12) == [searching.get_next() for _ in range(12)]
