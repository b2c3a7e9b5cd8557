"""Parsed schedules are shared by all threads of a process."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest

from chroniker.schedule import ScheduleSpec, latest_instant_until, next_instant_after, timeline
from chroniker.schedule.cron_rule import parse_cron_rule
from tests.unit.schedule.samples import cron, utc

SPECS = (
    cron("*/15 9-17 * * mon-fri", "Europe/Paris"),
    cron("30 2 * * *", "Europe/Paris"),
    cron("0 9 * * fri#3", "America/New_York"),
    ScheduleSpec("MONTHLY", params="bysetpos:-1;byweekday:mo,tu,we,th,fr", timezone="Europe/Paris"),
    ScheduleSpec("MINUTELY", params="interval:7;byhour:2,3", timezone="Europe/Paris"),
)


@pytest.fixture
def eager_switching() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def times_around(seed: int) -> list[tuple[dt.datetime | None, dt.datetime | None]]:
    random = Random(seed)
    answers = []
    for _ in range(60):
        spec = random.choice(SPECS)
        moment = utc(2026, 3, 28) + dt.timedelta(seconds=random.randrange(3 * 86400))
        answers.append((next_instant_after(spec, moment), latest_instant_until(spec, moment)))
    return answers


@pytest.mark.usefixtures("eager_switching")
def test_threads_that_share_rules_get_correct_results() -> None:
    alone = [times_around(seed) for seed in range(8)]
    parse_cron_rule.cache_clear()
    timeline.parse_schedule.cache_clear()
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(times_around, range(8))) == alone


def test_the_caches_are_bounded() -> None:
    for cache in (
        parse_cron_rule,
        timeline.parse_schedule,
        timeline._recurring_timeline,
        timeline._parse_params_cached,
    ):
        size = cache.cache_info().maxsize
        assert size is not None and size <= 10_000
