"""The schedule of jobs in simulated time, as the tests of a project play it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core import mail

import chroniker
from chroniker import signals
from chroniker.clock.database_clock import database_now
from chroniker.conf import settings
from chroniker.models import Group, Overlap, Run, Status, Trigger
from chroniker.outbox import sender_thread
from chroniker.testing import Scheduler, scheduler
from tests.support.ended_runs import a_subscriber
from tests.support.factories import a_dependency, a_job

pytestmark = [pytest.mark.django_db, pytest.mark.every_database]

START = dt.datetime(2025, 3, 29, tzinfo=dt.UTC)
MINUTES = dt.timedelta(minutes=1)


def statuses(simulated: Scheduler, name: str) -> list[str]:
    return [run.status for run in simulated.runs(name)]


def started(runs: list[Run]) -> list[str]:
    return [f"{run.started_at:%a %H:%M}" for run in runs]


def test_runs_start_at_the_times_of_the_schedule() -> None:
    a_job(name="nightly", cron="30 4 * * *", timezone="Europe/Paris")
    with scheduler(START) as simulated:
        simulated.advance(days=3)
        runs = simulated.runs("nightly")
    # Clocks in Paris are put forward on the 30th.
    assert started(runs) == ["Sat 03:30", "Sun 02:30", "Mon 02:30"]
    assert {run.started_at.astimezone(ZoneInfo("Europe/Paris")).hour for run in runs if run.started_at} == {4}
    assert all(run.finished_at == run.started_at and run.trigger == Trigger.SCHEDULE for run in runs)


def test_nothing_happens_before_the_time_has_passed() -> None:
    a_job(name="nightly", cron="30 3 * * *")
    with scheduler(START) as simulated:
        simulated.advance(hours=3, minutes=29)
        assert simulated.runs("nightly") == []
        simulated.advance(minutes=1)
        assert statuses(simulated, "nightly") == ["SUCCEEDED"]


def test_a_failed_run_is_retried_after_its_back_off() -> None:
    a_job(name="load", cron="0 3 * * *", max_retries=3, retry_backoff_seconds=600)
    with scheduler(START) as simulated:
        simulated.ends("load", Status.FAILED, Status.FAILED, Status.SUCCEEDED)
        simulated.advance(hours=24)
        runs = simulated.runs("load")
    assert [run.status for run in runs] == ["FAILED", "FAILED", "SUCCEEDED"]
    assert started(runs) == ["Sat 03:00", "Sat 03:10", "Sat 03:30"]
    assert runs[0].reason == "it exited with status 1"


def test_a_dependent_starts_when_the_other_job_has_ended() -> None:
    load, report = a_job(name="load", cron="0 3 * * *"), a_job(name="report", cron="0 3 * * *")
    a_dependency(report, load, wait_for_completion=True, wait_for_success=True)
    with scheduler(START) as simulated:
        simulated.ends("load", after=20 * MINUTES)
        simulated.advance(hours=3, minutes=19)
        assert simulated.runs("report") == [] and statuses(simulated, "load") == ["RUNNING"]
        simulated.advance(minutes=1)
        assert started(simulated.runs("report")) == ["Sat 03:20"]


def test_a_run_that_is_too_long_times_out() -> None:
    a_job(name="slow", cron="0 3 * * *", timeout_seconds=300)
    with scheduler(START) as simulated:
        simulated.ends("slow", after=10 * MINUTES)
        simulated.advance(hours=4)
        (run,) = simulated.runs("slow")
    assert run.started_at and run.finished_at and run.finished_at - run.started_at == 5 * MINUTES
    assert (run.status, run.reason) == (Status.TIMED_OUT, "it ran longer than its timeout of 300 s")


def test_a_scheduled_time_within_a_run_is_skipped() -> None:
    a_job(name="often", cron="*/10 * * * *", overlap=Overlap.SKIP)
    with scheduler(START) as simulated:
        simulated.ends("often", after=15 * MINUTES)
        simulated.advance(minutes=40)
        assert statuses(simulated, "often") == ["SUCCEEDED", "SKIPPED", "RUNNING", "SKIPPED"]


def test_an_overlap_replaces_the_open_run() -> None:
    a_job(name="often", cron="*/10 * * * *", overlap=Overlap.REPLACE)
    with scheduler(START) as simulated:
        simulated.ends("often", after=15 * MINUTES)
        simulated.advance(minutes=20)
        assert statuses(simulated, "often") == ["STOPPED", "RUNNING"]


def test_a_group_has_room_for_its_limit() -> None:
    group = Group.objects.create(name="narrow", limit=1)
    for name in ("one", "two"):
        a_job(name=name, cron="0 3 * * *", group=group)
    with scheduler(START) as simulated:
        for name in ("one", "two"):
            simulated.ends(name, after=30 * MINUTES)
        simulated.advance(hours=5)
        begun = sorted(started(simulated.runs("one") + simulated.runs("two")))
    assert begun == ["Sat 03:00", "Sat 03:30"]


def test_a_lost_run_is_not_repeated_unless_the_job_wants_that() -> None:
    a_job(name="careful", cron="0 3 * * *")
    a_job(name="again", cron="0 3 * * *", retry_on_lost=True)
    with scheduler(START) as simulated:
        for name in ("careful", "again"):
            simulated.ends(name, Status.LOST, Status.SUCCEEDED)
        simulated.advance(hours=4)
        assert statuses(simulated, "careful") == ["LOST"]
        assert statuses(simulated, "again") == ["LOST", "SUCCEEDED"]


def test_a_job_for_every_host_runs_on_one() -> None:
    a_job(name="everywhere", cron="0 3 * * *", hostname="*")
    with scheduler(START) as simulated:
        simulated.advance(hours=4)
        assert statuses(simulated, "everywhere") == ["SUCCEEDED"]
        assert Run.objects.exclude(parent=None).get().host == settings.hostname


def test_the_code_of_a_test_may_start_pause_and_edit() -> None:
    job = a_job(name="hourly", cron="0 * * * *")
    with scheduler(START) as simulated:
        simulated.advance(minutes=30)
        by_hand = chroniker.run_now(job, by="ann")
        assert Run.objects.get(pk=by_hand.pk).started_at == START + 30 * MINUTES
        simulated.advance(minutes=1)
        chroniker.pause(by="ann")
        simulated.advance(hours=2)
        chroniker.resume(by="ann")
        simulated.advance(minutes=1)
        job.cron = "15 * * * *"
        job.save()
        simulated.advance(hours=1)
        begun = [run.started_at - START for run in simulated.runs(job) if run.started_at]
    assert begun == [each * MINUTES for each in (30, 151, 195)]


@pytest.mark.django_db(transaction=True)
def test_without_a_transaction_of_the_test_it_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mails are sent here too, not by a thread, which would not know when the test ends."""
    threads: list[str] = []
    monkeypatch.setattr(sender_thread, "_start_thread", lambda: threads.append("begun"))
    a_job(name="nightly", cron="30 3 * * *", max_retries=1).subscribers.set([a_subscriber()])
    with scheduler(START) as simulated:
        simulated.ends("nightly", Status.FAILED)
        simulated.advance(hours=24)
        assert statuses(simulated, "nightly") == ["FAILED", "FAILED"]
    assert len(mail.outbox) == 2 and threads == []


def test_timelines_begin_at_the_start_also_in_the_future() -> None:
    a_job(name="hourly", cron="0 * * * *")
    with scheduler(START + dt.timedelta(days=3650)) as simulated:
        simulated.advance(minutes=59)
        assert simulated.runs("hourly") == []
        simulated.advance(minutes=1)
        assert statuses(simulated, "hourly") == ["SUCCEEDED"]


@pytest.fixture
def finished() -> Iterator[list[Any]]:
    received: list[Any] = []

    def receive(**arguments: Any) -> None:
        received.append(arguments["status"])

    signals.run_finished.connect(receive)
    yield received
    signals.run_finished.disconnect(receive)


def test_signals_and_mails_are_sent(finished: list[Any]) -> None:
    a_job(name="load", cron="0 3 * * *").subscribers.set([a_subscriber()])
    with scheduler(START) as simulated:
        simulated.ends("load", Status.FAILED)
        simulated.advance(hours=4)
    assert finished == [Status.FAILED]
    assert [message.subject for message in mail.outbox] == ["Error: load (failed)"]


def test_the_clock_is_the_database_s_again_afterwards() -> None:
    with scheduler(START) as simulated:
        simulated.advance(seconds=1.5)
        assert database_now() == simulated.now == START + dt.timedelta(seconds=1.5)
    assert abs(database_now() - dt.datetime.now(dt.UTC)) < dt.timedelta(days=1)
    assert settings.lease < dt.timedelta(days=1)


@pytest.mark.parametrize(("seconds", "made"), [(20, 12), (50, 0)])
def test_a_backfill_runs_between_the_scheduled_times_and_costs_none_of_them(seconds: int, made: int) -> None:
    job = a_job(name="import", cron="* * * * *", misfire_grace_seconds=30)
    with scheduler(START) as simulated:
        simulated.ends("import", Status.FAILED)
        simulated.advance(minutes=12)
        simulated.ends("import", Status.SUCCEEDED, after=dt.timedelta(seconds=seconds))
        simulated.advance(minutes=2, seconds=55)
        row = chroniker.backfill(job, START, START + 12 * MINUTES, "ann")
        simulated.advance(minutes=15)
        runs = simulated.runs("import")
    row.refresh_from_db()
    assert (row.planned, row.made, row.succeeded, row.is_open) == (12, made, made, made == 0)
    assert not [run for run in runs if run.status == Status.SKIPPED]
    assert [run.instant for run in runs if run.backfill] == [START + n * MINUTES for n in range(1, made + 1)]
    late = [run for run in runs if run.scheduled_for and run.started_at and run.started_at > run.scheduled_for]
    assert not late, "no run of the schedule waited for a run of the backfill"
