"""Force run and force stop: the flags and the buttons. A forced run does not change the schedule."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

import pytest
from django.test import Client, override_settings
from django.urls import reverse

from chroniker.executors.dummy import DummyExecutor
from chroniker.models import Job, Run, Status, Trigger
from chroniker.scheduler.manual_runs import run_now
from chroniker.scheduler.tick import tick
from tests.support.admin_pages import open_form, url
from tests.support.command_jobs import DUMMY, a_job_of_new_year, is_running, the_run
from tests.support.factories import a_booked_job, state_of
from tests.support.manage import Manage
from tests.support.processes import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
SCHEDULE = ("next_instant", "next_run", "covered_until", "booked_fingerprint")


def schedule_of(job: Job) -> dict[str, Any]:
    return {name: getattr(state_of(job), name) for name in SCHEDULE}


def flag(client: Client, name: str, job: Job) -> None:
    """Set the flag in the job's form; the next tick acts on it."""
    assert client.post(url(job), {**open_form(client, job), name: "on"}).status_code == 302
    with override_settings(CHRONIKER_EXECUTORS=DUMMY):
        tick()


def press(client: Client, button: str, job: Job) -> None:
    with override_settings(CHRONIKER_EXECUTORS=DUMMY):
        assert client.post(reverse(f"admin:chroniker_job_{button}", args=[job.pk])).status_code == 302


def queue(job: Job) -> Run:
    """A run that is claimed and dispatched, and not started."""
    with override_settings(CHRONIKER_EXECUTORS=DUMMY):
        return run_now(job, "a test")


FORCED: dict[str, Callable[[Client, Job], None]] = {
    "flag": lambda client, job: flag(client, "force_run", job),
    "button": lambda client, job: press(client, "run", job),
}
STOPPED: dict[str, Callable[[Client, Job], None]] = {
    "flag": lambda client, job: flag(client, "force_stop", job),
    "button": lambda client, job: press(client, "stop", job),
}


def test_a_run_by_hand_is_recorded_completely_before_its_message_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def look(executor: DummyExecutor, runs: Sequence[Run]) -> list[UUID]:
        [run] = Run.objects.filter(pk__in=[run.pk for run in runs])
        seen.extend((run.dispatch_count, run.dispatched_at, [event.description for event in run.events.all()]))
        return [run.pk]

    monkeypatch.setattr(DummyExecutor, "dispatch", look)
    run = queue(a_booked_job())
    assert seen == [1, run.claimed_at, ["requested by a test"]]


@pytest.mark.parametrize("way", FORCED)
def test_a_forced_run_does_not_change_the_schedule(admin: Client, way: str) -> None:
    job = a_job_of_new_year()
    before = schedule_of(job)
    FORCED[way](admin, job)
    run = the_run(job)
    assert (run.trigger, run.scheduled_for, run.covered_until) == (Trigger.MANUAL, None, None)
    assert schedule_of(job) == before
    assert state_of(job).last_token == 1


def test_the_tick_that_starts_a_forced_run_clears_its_flag(admin: Client) -> None:
    job = a_job_of_new_year()
    flag(admin, "force_run", job)
    job.refresh_from_db()
    assert not job.force_run
    with override_settings(CHRONIKER_EXECUTORS=DUMMY):
        assert not tick().claimed
    assert Run.objects.count() == 1


@pytest.mark.parametrize("way", STOPPED)
def test_a_queued_run_is_stopped_before_it_starts(admin: Client, way: str) -> None:
    job = a_booked_job(cron="0 0 1 1 *", max_retries=3)
    run = queue(job)
    STOPPED[way](admin, job)
    run.refresh_from_db()
    assert (run.status, run.started_at) == (Status.STOPPED, None)
    job.refresh_from_db()
    assert not job.force_stop
    assert state_of(job).retry_at is None


@pytest.mark.parametrize("way", STOPPED)
def test_a_running_run_is_stopped_by_another_process(admin: Client, manage: Manage, way: str) -> None:
    job = a_job_of_new_year(command="sleep_for", args="600", max_retries=3)
    with manage.process("run_job", job.name):
        wait_until(lambda: is_running(job), what="the job runs")
        STOPPED[way](admin, job)
        wait_until(lambda: not is_running(job), what="the job has ended")
    run = the_run(job)
    assert run.status == Status.STOPPED
    assert run.stop_requested_by
    assert run.reason.startswith(f"a stop was requested by {run.stop_requester}; ")
    assert state_of(job).retry_at is None, "a run with a stop request is not retried"


def test_a_stop_of_a_job_that_does_not_run_has_no_later_effect(admin: Client) -> None:
    job = a_job_of_new_year()
    flag(admin, "force_stop", job)
    job.refresh_from_db()
    assert not job.force_stop
    queue(job)
    with override_settings(CHRONIKER_EXECUTORS=DUMMY):
        tick()
    assert the_run(job).status == Status.CLAIMED
