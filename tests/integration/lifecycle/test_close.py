from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import override_settings

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.lifecycle import Outcome
from chroniker.lifecycle.pending_retries import retry_at
from chroniker.models import EventKind, Job, JobState, Lease, Run, RunEvent, Status, Trigger
from chroniker.scheduler.tick import expire, tick
from tests.support.factories import a_due_job, started, state_of

SECOND = dt.timedelta(seconds=1)


def claimed(**fields: Any) -> Run:
    job = a_due_job(**fields)
    return next(run for run in tick().claimed if run.job_id == job.pk)


def let_expire(run: Run) -> None:
    Lease.objects.filter(pk=run.pk).update(expires_at=database_now() - dt.timedelta(minutes=10))


def test_a_finish_closes_the_run_and_releases_the_lease() -> None:
    run = claimed()
    nonce = started(run)
    assert lifecycle.finish(run.pk, run.token, nonce, Outcome(Status.SUCCEEDED, exit_code=0, progress=(77, 77)))
    run.refresh_from_db()
    assert (run.status, run.exit_code, run.total_parts_complete) == (Status.SUCCEEDED, 0, 77)
    assert not Lease.objects.exists()
    assert state_of(run.job).last_status == Status.SUCCEEDED


def test_a_finish_whose_response_was_lost_can_be_repeated() -> None:
    run = claimed()
    nonce = started(run)
    assert lifecycle.finish(run.pk, run.token, nonce, Outcome(Status.FAILED, exit_code=1))
    first = Run.objects.get(pk=run.pk).finished_at
    assert lifecycle.finish(run.pk, run.token, nonce, Outcome(Status.FAILED, exit_code=1))
    assert Run.objects.get(pk=run.pk).finished_at == first
    assert not RunEvent.objects.filter(run=run).exists()


def test_a_late_finish_only_adds_an_event() -> None:
    run = claimed()
    nonce = started(run)
    let_expire(run)
    expire()
    before = state_of(run.job).__dict__ | {"_state": None}
    assert not lifecycle.finish(run.pk, run.token, nonce, Outcome(Status.SUCCEEDED, exit_code=0))
    run.refresh_from_db()
    assert (run.status, run.exit_code) == (Status.LOST, None)
    assert state_of(run.job).__dict__ | {"_state": None} == before
    event = RunEvent.objects.get(run=run, kind=EventKind.LATE_OUTCOME)
    assert "succeeded" in event.description


def test_a_finish_by_another_supervisor_changes_nothing() -> None:
    run = claimed()
    started(run)
    assert not lifecycle.finish(run.pk, run.token, uuid4(), Outcome(Status.SUCCEEDED))
    assert Run.objects.get(pk=run.pk).status == Status.RUNNING
    assert Lease.objects.filter(pk=run.pk).exists()


def test_a_run_whose_lease_expired_is_lost_and_its_job_can_start_again() -> None:
    run = claimed()
    nonce = started(run)
    lifecycle.renew(run.pk, run.token, nonce, (10, 4))
    let_expire(run)
    assert [lost.pk for lost in expire()] == [run.pk]
    run.refresh_from_db()
    assert (run.status, run.total_parts_complete) == (Status.LOST, 4)
    assert "Lost contact" in run.reason
    assert state_of(run.job).retry_at is None
    assert len(tick(now=database_now() + dt.timedelta(minutes=2)).claimed) == 1


def test_a_lease_does_not_expire_before_the_drift_allowance_has_passed() -> None:
    run = claimed()
    started(run)
    Lease.objects.filter(pk=run.pk).update(expires_at=database_now() - SECOND)
    assert expire() == []
    Lease.objects.filter(pk=run.pk).update(expires_at=database_now() - 3 * SECOND)
    assert len(expire()) == 1


def test_a_claim_that_is_not_started_before_its_start_deadline_is_lost() -> None:
    run = claimed(start_deadline_seconds=60)
    assert Lease.objects.get(pk=run.pk).expires_at - run.claimed_at == 60 * SECOND
    let_expire(run)
    expire()
    run.refresh_from_db()
    assert run.status == Status.LOST
    assert "start deadline" in run.reason


@dataclass
class Here:
    """Processes of a host that uses lock files."""

    held: bool | None
    survivors: list[str] = field(default_factory=list)
    killed: list[UUID] = field(default_factory=list)
    host: str = "here"
    locks_decide: bool = True

    def is_held(self, run_id: UUID) -> bool | None:
        return self.held

    def kill_remaining(self, run_id: UUID) -> list[str]:
        self.killed.append(run_id)
        return self.survivors


@pytest.mark.parametrize("locks_decide", [True, False])
def test_remaining_processes_of_a_local_run_are_killed_before_it_is_lost(locks_decide: bool) -> None:
    run, other = claimed(), claimed()
    started(run, host="here")
    started(other, host="there")
    let_expire(run)
    let_expire(other)
    here = Here(False, survivors=["sleep"], locks_decide=locks_decide)
    assert [lost.pk for lost in lifecycle.expire(100, here)] == [other.pk], "a run with living processes stays open"
    here.survivors = []
    assert [lost.pk for lost in lifecycle.expire(100, here)] == [run.pk]
    assert set(here.killed) == {run.pk}


def test_a_process_with_a_live_keeper_is_not_killed() -> None:
    run = claimed()
    started(run, host="here")
    let_expire(run)
    here = Here(True, locks_decide=False)
    assert len(lifecycle.expire(100, here)) == 1
    assert here.killed == []


@pytest.mark.parametrize("held", [True, False])
def test_a_run_with_a_lock_file_is_judged_by_the_lock_and_not_by_the_lease(held: bool) -> None:
    run = claimed()
    started(run, host="here")
    if held:
        let_expire(run)
    lost = lifecycle.expire(100, Here(held))
    assert len(lost) == (0 if held else 1)


def test_without_its_lock_file_a_run_is_judged_by_its_lease() -> None:
    run = claimed()
    started(run, host="here")
    assert lifecycle.expire(100, Here(None)) == []
    let_expire(run)
    assert len(lifecycle.expire(100, Here(None))) == 1


def test_runs_of_another_host_are_judged_by_their_lease() -> None:
    run = claimed()
    started(run, host="there")
    assert lifecycle.expire(100, Here(False)) == []
    let_expire(run)
    assert len(lifecycle.expire(100, Here(True))) == 1


def test_a_failure_is_retried_with_a_doubling_back_off() -> None:
    run = claimed(max_retries=2, retry_backoff_seconds=100)
    lifecycle.finish(run.pk, run.token, started(run), Outcome(Status.FAILED))
    first = state_of(run.job).retry_at
    assert first is not None and 95 * SECOND < first - database_now() <= 100 * SECOND
    JobState.objects.filter(pk=run.job_id).update(next_run=None, next_instant=None)
    (second,) = tick(now=first).claimed
    assert (second.trigger, second.attempt, second.scheduled_for) == (Trigger.RETRY, 2, None)
    lifecycle.finish(second.pk, second.token, started(second), Outcome(Status.TIMED_OUT))
    later = state_of(run.job).retry_at
    assert later is not None and later - database_now() > 195 * SECOND
    (third,) = tick(now=later).claimed
    lifecycle.finish(third.pk, third.token, started(third), Outcome(Status.FAILED))
    assert state_of(run.job).retry_at is None


@pytest.mark.parametrize("policy", [True, False])
def test_a_run_lost_by_a_worker_shutdown_is_retried_at_once_if_its_job_allows_it(policy: bool) -> None:
    run = claimed(retry_on_lost=policy, retry_backoff_seconds=3600)
    lifecycle.finish(run.pk, run.token, started(run), Outcome(Status.LOST, retry_at_once=True))
    again = state_of(run.job).retry_at
    assert again is None if not policy else again is not None and again <= database_now()


@pytest.mark.parametrize(
    ("policy", "status", "stopped", "retried"),
    [
        ({"max_retries": 1}, Status.FAILED, False, True),
        ({"max_retries": 1}, Status.TIMED_OUT, False, True),
        ({"max_retries": 1}, Status.FAILED, True, False),
        ({"max_retries": 1}, Status.STOPPED, False, False),
        ({"max_retries": 1}, Status.LOST, False, False),
        ({"retry_on_lost": True}, Status.LOST, False, True),
        ({"retry_on_lost": True}, Status.LOST, True, False),
        ({"retry_on_lost": True}, Status.FAILED, False, False),
        ({"max_retries": 1, "enabled": False}, Status.FAILED, False, False),
    ],
)
def test_the_policy_decides_on_a_retry(policy: dict[str, object], status: Status, stopped: bool, retried: bool) -> None:
    now = database_now()
    run = Run(status=status, attempt=1, stop_requested_at=now if stopped else None)
    assert (retry_at(Job(**policy), run, now) is not None) is retried


def test_a_stop_ends_a_claimed_run_at_once() -> None:
    run = claimed()
    assert lifecycle.request_stop(run.pk, "ann")
    run.refresh_from_db()
    assert (run.status, run.stop_requested_by) == (Status.STOPPED, "ann")
    assert not Lease.objects.exists()
    assert lifecycle.start(run.pk, run.token, uuid4(), host="here", pid=1) is None


def test_a_stop_of_a_running_run_is_recorded_once_and_left_to_its_supervisor() -> None:
    run = claimed()
    started(run)
    assert lifecycle.request_stop(run.pk, "ann")
    assert lifecycle.request_stop(run.pk, "bob")
    run.refresh_from_db()
    assert (run.status, run.stop_requested_by) == (Status.RUNNING, "ann")
    assert RunEvent.objects.filter(run=run, kind=EventKind.STOP_REQUESTED).count() == 1


def test_a_stop_of_a_closed_run_returns_false() -> None:
    run = claimed()
    lifecycle.finish(run.pk, run.token, started(run), Outcome(Status.SUCCEEDED))
    assert not lifecycle.request_stop(run.pk, "ann")


def test_the_force_stop_flag_stops_the_running_run_and_is_cleared() -> None:
    run = claimed()
    Job.objects.filter(pk=run.job_id).update(force_stop=True)
    tick()
    assert Run.objects.get(pk=run.pk).status == Status.STOPPED
    assert not Job.objects.filter(force_stop=True).exists()


def test_a_claim_that_was_not_started_is_dispatched_again_with_back_off(dummy: object) -> None:
    run = claimed()
    now = database_now()
    assert tick(now=now).dispatched == 0
    assert tick(now=now + 61 * SECOND, only=[]).dispatched == 1
    assert tick(now=now + 122 * SECOND, only=[]).dispatched == 0
    assert tick(now=now + 190 * SECOND, only=[]).dispatched == 1
    assert Run.objects.get(pk=run.pk).dispatch_count == 3


def test_a_claim_whose_executor_fails_stays_claimed_with_the_reason() -> None:
    with override_settings(CHRONIKER_EXECUTORS={"default": {"BACKEND": "tests.support.factories.NoSuchExecutor"}}):
        run = claimed()
        run.refresh_from_db()
        assert run.dispatched_at is None
        assert "NoSuchExecutor" in run.reason
    assert tick(now=database_now() + 6 * SECOND, only=[]).dispatched == 1
    again = Run.objects.get(pk=run.pk)
    assert again.dispatched_at is not None and again.reason == ""


def test_a_run_lost_after_its_start_has_an_event_about_incomplete_output() -> None:
    """A worker records output that it could not store; a killed worker records nothing."""
    run = claimed()
    started(run)
    let_expire(run)
    assert [lost.pk for lost in expire()] == [run.pk]
    (event,) = RunEvent.objects.filter(run=run, kind=EventKind.NOTE)
    assert event.description.startswith("The end of the output may be missing")


def test_a_run_lost_before_its_start_has_no_event_about_incomplete_output() -> None:
    run = claimed()
    let_expire(run)
    assert [lost.pk for lost in expire()] == [run.pk]
    assert not RunEvent.objects.filter(run=run, kind=EventKind.NOTE).exists()


def test_a_run_with_surviving_processes_is_closed_and_keeps_its_slot_until_they_end() -> None:
    run = claimed()
    nonce = started(run)
    assert lifecycle.finish(run.pk, run.token, nonce, Outcome(Status.FAILED, survivors=("sleep 60",)))
    run.refresh_from_db()
    assert run.status == Status.FAILED
    assert Lease.objects.filter(pk=run.pk).exists()
    assert "sleep 60" in RunEvent.objects.get(run=run).description
    assert lifecycle.renew(run.pk, run.token, nonce).held
    lifecycle.release(run.pk, run.token, uuid4())
    assert Lease.objects.filter(pk=run.pk).exists(), "only by the supervisor of this run"
    lifecycle.release(run.pk, run.token, nonce)
    assert not Lease.objects.filter(pk=run.pk).exists()


def test_an_open_run_is_not_released() -> None:
    run = claimed()
    lifecycle.release(run.pk, run.token, started(run))
    assert Lease.objects.filter(pk=run.pk).exists()


def test_a_kept_slot_without_a_supervisor_is_released_after_one_lease() -> None:
    run = claimed()
    lifecycle.finish(run.pk, run.token, started(run), Outcome(Status.FAILED, survivors=("sleep 60",)))
    let_expire(run)
    assert expire() == []
    run.refresh_from_db()
    assert run.status == Status.FAILED
    assert not Lease.objects.filter(pk=run.pk).exists()
