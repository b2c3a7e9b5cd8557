"""Closed runs are added to the counts of their hour, each run once."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections, transaction

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.lifecycle import Outcome, bulk, hourly_counts
from chroniker.models import EVERY_HOST, FleetWork, Job, Lease, Run, RunHour, RunTotal, Status, Trigger
from chroniker.scheduler import fleet_work
from chroniker.scheduler.manual_runs import run_now
from chroniker.scheduler.retention import deletable_runs
from chroniker.scheduler.tick import tick
from tests.integration.lifecycle.uncounted_runs import closed_runs
from tests.support.factories import a_booked_job, a_due_job, a_job, started

NEVER = "0 0 1 1 *"
HOUR, SECOND = dt.timedelta(hours=1), dt.timedelta(seconds=1)
ENDS = ("succeeded", "failed", "timed_out", "stopped", "lost", "skipped")


def ended(job: Job, status: Status = Status.SUCCEEDED) -> Run:
    run = run_now(job, requested_by="a test")
    assert lifecycle.finish(run.pk, run.token, started(run), Outcome(status))
    return Run.objects.get(pk=run.pk)


def total(name: str = "succeeded") -> int:
    return sum(RunHour.objects.values_list(name, flat=True))


@pytest.mark.django_db
def test_each_end_is_counted_by_its_status() -> None:
    job = a_booked_job(cron=NEVER)
    for status in (Status.SUCCEEDED, Status.FAILED, Status.TIMED_OUT, Status.STOPPED, Status.SUCCEEDED):
        ended(job, status)
    assert lifecycle.add_closed_runs_to_counters() == 5
    assert [total(name) for name in ENDS] == [2, 1, 1, 1, 0, 0]
    assert lifecycle.add_closed_runs_to_counters() == 0
    assert not Run.objects.filter(uncounted_since__isnull=False).exists()


@pytest.mark.django_db
def test_a_lost_run_is_counted() -> None:
    a_due_job()
    (run,) = tick().claimed
    started(run)
    Lease.objects.filter(pk=run.pk).update(expires_at=database_now() - HOUR)
    assert [lost.pk for lost in lifecycle.expire_runs(10)] == [run.pk]
    assert lifecycle.add_closed_runs_to_counters() == 1
    assert [total(name) for name in ENDS] == [0, 0, 0, 0, 1, 0]


@pytest.mark.django_db
def test_skipped_runs_and_cancelled_runs_are_counted_without_a_duration() -> None:
    job = a_due_job(minutes=10, misfire_grace_seconds=1)
    tick()
    cancelled = run_now(a_booked_job(cron=NEVER), requested_by="a test")
    lifecycle.request_stop(cancelled.pk, "ann")
    lifecycle.add_closed_runs_to_counters()
    assert (total("skipped"), total("stopped"), total("seconds_sum")) == (1, 1, 0.0)
    assert RunHour.objects.filter(job=job).get().delay_0 == 0


@pytest.mark.django_db
def test_the_hour_is_that_of_the_end_and_durations_are_added() -> None:
    job, end = a_job(), dt.datetime(2026, 3, 1, 10, 59, 59, tzinfo=dt.UTC)
    closed_runs(job, 1, started_at=end - 5 * SECOND, finished_at=end)
    lifecycle.add_closed_runs_to_counters()
    closed_runs(job, 1, started_at=end - 3 * SECOND, finished_at=end)
    closed_runs(job, 1, started_at=end, finished_at=end + SECOND)
    lifecycle.add_closed_runs_to_counters()
    rows = RunHour.objects.order_by("hour").values_list("hour", "succeeded", "seconds_sum", "seconds_max")
    ten = end.replace(minute=0, second=0)
    assert list(rows) == [(ten, 2, 8.0, 5.0), (ten + HOUR, 1, 1.0, 1.0)]


@pytest.mark.django_db
def test_the_delay_is_counted_from_the_instant_plus_the_jitter_or_from_the_claim() -> None:
    job, now = a_job(), database_now()
    seconds = [0.1, 0.7, 1.5, 4, 20, 200, 400]
    for delay in seconds:
        closed_runs(job, 1, claimed_at=now - delay * SECOND, started_at=now)
    closed_runs(job, 1, trigger=Trigger.SCHEDULE, scheduled_for=now - 100 * SECOND, covered_until=now, started_at=now)
    lifecycle.add_closed_runs_to_counters()
    row = RunHour.objects.get()
    assert [getattr(row, f"delay_{n}") for n in range(7)] == [1, 1, 1, 1, 1, 2, 1]


@pytest.mark.django_db
def test_runs_of_all_jobs_are_added_up_by_half_hour() -> None:
    end = dt.datetime(2026, 3, 1, 10, 29, 59, tzinfo=dt.UTC)
    for job in (a_job(), a_job()):
        closed_runs(job, 2, started_at=end - 5 * SECOND, claimed_at=end - 45 * SECOND, finished_at=end)
        closed_runs(job, 1, started_at=None, finished_at=end + SECOND, status=Status.STOPPED)
        lifecycle.add_closed_runs_to_counters()
    names = ("start", "succeeded", "stopped", "seconds_sum", "seconds_max", "delay_5")
    assert list(RunTotal.objects.order_by("start").values_list(*names)) == [
        (end.replace(minute=0, second=0), 4, 0, 20.0, 5.0, 4),
        (end.replace(minute=30, second=0), 0, 2, 0.0, 0.0, 0),
    ]


@pytest.mark.django_db
def test_an_hour_with_a_late_start_is_marked_for_good() -> None:
    job, end = a_job(), dt.datetime(2026, 3, 1, 10, 29, 59, tzinfo=dt.UTC)
    marked = []
    for delay in (1, 31, 1):
        closed_runs(job, 1, claimed_at=end - delay * SECOND, started_at=end, finished_at=end)
        lifecycle.add_closed_runs_to_counters()
        marked.append(RunHour.objects.filter(late_hour=end.replace(minute=0, second=0)).exists())
    assert marked == [False, True, True]


@pytest.mark.django_db
def test_of_a_run_on_every_host_the_parent_is_counted() -> None:
    parent = closed_runs(a_job(), 1, required_host=EVERY_HOST)[0]
    closed_runs(parent.job, 3, parent=parent)
    assert lifecycle.add_closed_runs_to_counters() == 4
    assert total() == 1


@pytest.mark.django_db
def test_a_run_that_is_not_counted_yet_is_not_deleted() -> None:
    job = a_booked_job(cron=NEVER)
    ended(job)
    ended(job)
    assert not deletable_runs().exists()
    lifecycle.add_closed_runs_to_counters()
    assert deletable_runs().count() == 1


@pytest.mark.django_db
@pytest.mark.periodic_work
def test_a_tick_counts_what_was_closed_and_then_rests() -> None:
    job = a_booked_job(cron=NEVER)
    ended(job)
    tick()
    assert total() == 1
    ended(job)
    tick()
    assert total() == 1, "it counts at most every 10 s"
    FleetWork.objects.filter(name="counts").update(due_at=database_now() - SECOND)
    tick()
    assert total() == 2


@pytest.mark.django_db
def test_old_counts_are_deleted_and_rows_of_deleted_jobs_go_with_them() -> None:
    job = a_job()
    now = database_now()
    for hours in (1, 24 * 34, 24 * 36):
        RunHour.objects.create(job=job, hour=now - hours * HOUR)
        RunTotal.objects.create(start=now - hours * HOUR)
    fleet_work.delete_old_records(now)
    assert RunHour.objects.count() == RunTotal.objects.count() == 2
    job.delete()
    assert not RunHour.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_each_run_is_counted_once_when_several_ticks_count_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hourly_counts, "MAX_RUNS_PER_TRANSACTION", 20)
    for job in [a_job() for _each in range(3)]:
        closed_runs(job, 100)

    def count(number: int) -> None:
        try:
            while Run.objects.filter(uncounted_since__isnull=False).exists():
                lifecycle.add_closed_runs_to_counters()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(count, range(4)))
    assert total() == 300
    assert sum(RunTotal.objects.values_list("succeeded", flat=True)) == 300
    assert RunHour.objects.count() == len(set(RunHour.objects.values_list("job", "hour")))


@pytest.mark.django_db(transaction=True)
@pytest.mark.every_database
@pytest.mark.database("postgres", "mariadb")
def test_a_run_that_another_transaction_has_locked_is_counted_later() -> None:
    held, _other = closed_runs(a_job(), 2)

    def count() -> int:
        try:
            return lifecycle.add_closed_runs_to_counters()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool, transaction.atomic():
        list(Run.objects.select_for_update().filter(pk=held.pk))
        assert pool.submit(count).result(timeout=20) == 1
    assert lifecycle.add_closed_runs_to_counters() == 1
    assert total() == 2


@pytest.mark.django_db(transaction=True)
def test_a_run_is_counted_that_was_closed_before_others_and_committed_after_them() -> None:
    """A watermark in time would pass over it."""
    job, now = a_job(), database_now()
    closed_runs(job, 1)
    lifecycle.add_closed_runs_to_counters()
    closed_runs(job, 1, finished_at=now - 5 * SECOND, uncounted_since=now - 5 * SECOND)
    lifecycle.add_closed_runs_to_counters()
    assert total() == 2


@pytest.mark.django_db(transaction=True)
def test_nothing_is_counted_twice_after_a_failure_between_the_addition_and_the_removal_of_the_marks() -> None:
    closed_runs(a_job(), 5)

    def fails_afterwards(*args: Any, **named: Any) -> None:
        bulk.upsert_counters(*args, **named)
        raise RuntimeError("the process ends")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hourly_counts, "upsert_counters", fails_afterwards)
        with pytest.raises(RuntimeError):
            lifecycle.add_closed_runs_to_counters()
    assert total() == 0
    lifecycle.add_closed_runs_to_counters()
    assert total() == 5
