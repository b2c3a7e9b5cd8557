"""Whether something ticks, and which queues no live worker consumes."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.test import override_settings

from chroniker.clock.database_clock import database_now
from chroniker.eligibility import hosts, liveness
from chroniker.eligibility.liveness import WaitingQueue
from chroniker.models import HostService, Run, Status, Ticker
from tests.support.factories import a_job

SECOND, MINUTE = dt.timedelta(seconds=1), dt.timedelta(minutes=1)
NOW = dt.datetime(2020, 3, 1, 12, tzinfo=dt.UTC)


def a_ticker(age: dt.timedelta, **fields: Any) -> Ticker:
    return Ticker(last_at=NOW - age, **{"period": 1, "pass_seconds": 0.0, **fields})


def a_worker(*queues: str, executor: str = "default", age: dt.timedelta = SECOND) -> HostService:
    return HostService(executor=executor, queues=list(queues), last_seen=NOW - age)


def unserved(queue: WaitingQueue, *workers: HostService) -> bool:
    return liveness.select_queues_without_worker([queue], workers, NOW) == [queue]


def a_queue(name: str = "slow", executor: str = "default", age: dt.timedelta = SECOND) -> WaitingQueue:
    return WaitingQueue(executor, name, 1, NOW - age)


@override_settings(CHRONIKER_TICK_TIMEOUT=30)
@pytest.mark.parametrize(
    ("fields", "seconds"),
    [({}, 30), ({"period": 20}, 60), ({"period": 20, "pass_seconds": 7.0}, 67), ({"period": 1.5}, 30)],
)
def test_a_ticker_may_be_silent_for_its_periods_its_pass_and_the_time_between_two_writes(
    fields: dict[str, Any], seconds: int
) -> None:
    allowed = dt.timedelta(seconds=seconds)
    assert liveness.longest_silence_allowed(a_ticker(SECOND, **fields)) == allowed
    assert liveness.last_ticker_if_all_silent([a_ticker(allowed, **fields)], NOW) is None
    silent = a_ticker(allowed + dt.timedelta(microseconds=1), **fields)
    assert liveness.last_ticker_if_all_silent([silent], NOW) is silent


@override_settings(CHRONIKER_TICK_TIMEOUT=30)
def test_the_last_of_the_silent_tickers_is_named_and_silence_before_the_first_look_is_ignored() -> None:
    early, last, ticking = a_ticker(90 * SECOND), a_ticker(60 * SECOND), a_ticker(SECOND)
    assert liveness.last_ticker_if_all_silent([early, last], NOW) is last
    assert liveness.last_ticker_if_all_silent([early, ticking, last], NOW) is None
    assert liveness.last_ticker_if_all_silent([], NOW) is None
    for age, expected in ((29, None), (31, last), (999, last)):
        assert liveness.last_ticker_if_all_silent([early, last], NOW, NOW - age * SECOND) is expected


@override_settings(CHRONIKER_HOST_TIMEOUT=150)
def test_a_worker_consumes_the_queues_that_it_names_while_it_is_live() -> None:
    assert not unserved(a_queue(), a_worker("fast", "slow"))
    assert not unserved(a_queue(), a_worker()), "a worker that names no queues consumes all"
    assert unserved(a_queue(), a_worker("fast"))
    assert not unserved(a_queue(), a_worker("slow", age=150 * SECOND))
    assert unserved(a_queue(), a_worker("slow", age=151 * SECOND))
    assert not unserved(a_queue(""), a_worker("fast")), "runs without a queue go to any worker of the executor"
    assert unserved(a_queue(""), a_worker("fast", age=151 * SECOND))
    assert unserved(a_queue(age=2 * MINUTE), a_worker("slow", executor="other"))


def test_a_queue_of_an_executor_without_any_worker_counts_after_a_minute() -> None:
    assert not unserved(a_queue(age=MINUTE), a_worker("slow", executor="other"))
    assert unserved(a_queue(age=MINUTE + SECOND))
    assert not unserved(a_queue(age=MINUTE))


@pytest.mark.django_db
def test_runs_that_no_worker_has_taken_are_counted_by_queue_the_oldest_first() -> None:
    job, now = a_job(), database_now()
    times = {"started_at": now, "finished_at": now}

    def a_run(queue: str, age: int, status: Status = Status.CLAIMED, **fields: Any) -> None:
        claimed_at = now - age * SECOND
        Run.objects.create(
            job=job, token=age, executor="default", queue=queue, status=status, claimed_at=claimed_at, **fields
        )

    a_run("fast", 5)
    a_run("slow", 9)
    a_run("slow", 7)
    a_run("fast", 20, taken_at=now)
    a_run("fast", 21, Status.SUCCEEDED, **times)
    assert liveness.find_queues_with_waiting_runs() == [
        WaitingQueue("default", "slow", 2, now - 9 * SECOND),
        WaitingQueue("default", "fast", 1, now - 5 * SECOND),
    ]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("worker", "is_named"),
    [({}, True), ({"ended_at": NOW}, False), ({"last_seen": NOW}, False)],
    ids=["live", "ended", "silent for a day"],
)
def test_only_workers_of_the_last_day_that_have_not_ended_make_an_executor_known(
    worker: dict[str, Any], is_named: bool
) -> None:
    """The queue of an executor that is not known counts after a minute only."""
    now = database_now()
    run = Run(job=a_job(), token=1, executor="default", queue="slow", status=Status.CLAIMED, claimed_at=now)
    hosts.record_heartbeat([hosts.WorkerReport("default", "w", ["fast"])])
    HostService.objects.update(**worker)
    assert liveness.find_queues_without_worker(now) == {}, "no run waits"
    run.save()
    assert set(liveness.find_queues_without_worker(now)) == ({("default", "slow")} if is_named else set())
