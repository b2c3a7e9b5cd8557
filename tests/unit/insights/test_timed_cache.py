from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from chroniker.insights import timed_cache
from chroniker.insights.timed_cache import TimedCache

MAX_AGE = 3.0


class Clock:
    """Stands for the module ``time``."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(timed_cache, "time", made)
    return made


class Source:
    """Counts the readings. Each takes ``seconds``."""

    def __init__(self, clock: Clock, seconds: float = 0) -> None:
        self.clock, self.seconds, self.readings = clock, seconds, 0

    def __call__(self) -> int:
        self.clock.now += self.seconds
        self.readings += 1
        return self.readings


def test_a_value_is_read_again_when_it_is_older(clock: Clock) -> None:
    cache, source = TimedCache[int](), Source(clock)
    assert cache.get(MAX_AGE, source) == 1
    clock.now += MAX_AGE
    assert cache.get(MAX_AGE, source) == 1
    clock.now += 0.1
    assert cache.get(MAX_AGE, source) == 2


def test_the_age_counts_from_the_end_of_a_slow_reading(clock: Clock) -> None:
    cache, source = TimedCache[int](), Source(clock, seconds=MAX_AGE + 1)
    assert cache.get(MAX_AGE, source) == cache.get(MAX_AGE, source) == 1


def test_a_forgotten_value_is_read_again(clock: Clock) -> None:
    cache, source = TimedCache[int](), Source(clock)
    cache.get(MAX_AGE, source)
    cache.forget()
    assert cache.get(MAX_AGE, source) == 2


def test_an_error_is_raised_and_not_kept(clock: Clock) -> None:
    cache = TimedCache[int]()

    def fail() -> int:
        raise ValueError("no answer")

    with pytest.raises(ValueError, match="no answer"):
        cache.get(MAX_AGE, fail)
    assert cache.get(MAX_AGE, Source(clock)) == 1


def test_threads_share_one_reading() -> None:
    cache, readings, release = TimedCache[int](), [], threading.Event()

    def read() -> int:
        readings.append(1)
        release.wait(60)
        return 7

    with ThreadPoolExecutor(8) as threads:
        values = [threads.submit(cache.get, 600.0, read) for _ in range(8)]
        release.set()
        assert [value.result(60) for value in values] == [7] * 8
    assert len(readings) == 1
