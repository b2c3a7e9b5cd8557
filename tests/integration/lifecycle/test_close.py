"""A run is closed: by its end, by a stop, with a retry, or while processes survive."""

from __future__ import annotations

import datetime as dt
from uuid import uuid4

import pytest
from django.test import override_settings

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.lifecycle import Outcome
from chroniker.lifecycle.pending_retries import compute_next_retry_time
from chroniker.models import (
    Activation,
    Alert,
    AlertKind,
    EventKind,
    Job,
    JobState,
    JobTrigger,
    Lease,
    Run,
    RunEvent,
    Status,
    Trigger,
)
from chroniker.reasons import Code
from chroniker.scheduler.tick import expire_runs, tick
from tests.integration.lifecycle.steps import a_claimed_run, let_expire
from tests.support.factories import a_booked_job, started, state_of

SECOND = dt.timedelta(seconds=1)


def test_a_finish_closes_the_run_and_releases_the_lease() -> None:
    run = a_claimed_run()
    nonce = started(run)
    assert lifecycle.finish(run.pk, run.token, nonce, Outcome(Status.SUCCEEDED, exit_code=0, progress=(77, 77)))
    run.refresh_from_db()
    assert (run.status, run.exit_code, run.total_parts_complete) == (Status.SUCCEEDED, 0, 77)
    assert not Lease.objects.exists()
    assert state_of(run.job).last_status == Status.SUCCEEDED


def test_a_finish_whose_response_was_lost_can_be_repeated() -> None:
    run = a_claimed_run()
    nonce = started(run)
    assert lifecycle.finish(run.pk, run.token, nonce, Outcome(Status.FAILED, exit_code=1))
    first = Run.objects.get(pk=run.pk).finished_at
    assert lifecycle.finish(run.pk, run.token, nonce, Outcome(Status.FAILED, exit_code=1))
    assert Run.objects.get(pk=run.pk).finished_at == first
    assert not RunEvent.objects.filter(run=run).exists()


def test_output_that_is_not_stored_at_the_end_leaves_an_event() -> None:
    """The reporter may die before it stores that output; the page of the run then says that it is missing."""
    run = a_claimed_run()
    assert lifecycle.finish(run.pk, run.token, started(run), Outcome(Status.SUCCEEDED, unstored_characters=12))
    event = RunEvent.objects.get(run=run)
    assert (event.kind, event.code, event.args) == (EventKind.NOTE, Code.OUTPUT_UNSTORED, {"n": 12})


def test_a_late_finish_only_adds_an_event() -> None:
    run = a_claimed_run()
    nonce = started(run)
    let_expire(run)
    expire_runs()
    before = state_of(run.job).__dict__ | {"_state": None}
    assert not lifecycle.finish(run.pk, run.token, nonce, Outcome(Status.SUCCEEDED, exit_code=0))
    run.refresh_from_db()
    assert (run.status, run.exit_code) == (Status.LOST, None)
    assert state_of(run.job).__dict__ | {"_state": None} == before
    event = RunEvent.objects.get(run=run, kind=EventKind.LATE_OUTCOME)
    assert "succeeded" in event.description


def test_a_finish_by_another_supervisor_changes_nothing() -> None:
    run = a_claimed_run()
    started(run)
    assert not lifecycle.finish(run.pk, run.token, uuid4(), Outcome(Status.SUCCEEDED))
    assert Run.objects.get(pk=run.pk).status == Status.RUNNING
    assert Lease.objects.filter(pk=run.pk).exists()


def test_a_failure_is_retried_with_a_doubling_back_off() -> None:
    run = a_claimed_run(max_retries=2, retry_backoff_seconds=100)
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


def test_a_cancelled_retry_ends_its_chain_with_the_failure_of_the_last_attempt() -> None:
    run = a_claimed_run(max_retries=1, hold_on_failure=True)
    lifecycle.finish(run.pk, run.token, started(run), Outcome(Status.FAILED))
    assert (state_of(run.job).failures, state_of(run.job).held_by_run) == (0, None)
    JobTrigger.objects.create(source=run.job, target=a_booked_job(cron="0 0 1 1 *"), on="FAILED")
    assert lifecycle.cancel_retry(run.job_id) == run.token
    state = state_of(run.job)
    assert (state.retry_at, state.failures, state.held_by_run) == (None, 1, run.token)
    assert state.failing_since == state.last_finished_at
    kinds = [(alert.kind, alert.ended_at) for alert in Alert.objects.filter(job=run.job).order_by("kind")]
    assert kinds == [(AlertKind.FAILING, None), (AlertKind.HELD, None)]
    assert Activation.objects.get().cause == run.pk


def test_a_cancellation_without_a_pending_retry_changes_nothing() -> None:
    """Not even the revision, which would let a claim be refused that was planned before."""
    run = a_claimed_run(max_retries=1)
    before = JobState.objects.values().get(pk=run.job_id)
    assert lifecycle.cancel_retry(run.job_id) is None
    assert JobState.objects.values().get(pk=run.job_id) == before


@pytest.mark.parametrize("policy", [True, False])
def test_a_run_lost_by_a_worker_shutdown_is_retried_at_once_if_its_job_allows_it(policy: bool) -> None:
    run = a_claimed_run(retry_on_lost=policy, retry_backoff_seconds=3600)
    lifecycle.finish(run.pk, run.token, started(run), Outcome(Status.LOST, retry_now=True))
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
    assert (compute_next_retry_time(Job(**policy), run, now) is not None) is retried


def test_a_stop_ends_a_claimed_run_at_once() -> None:
    run = a_claimed_run()
    assert lifecycle.request_stop(run.pk, "ann")
    run.refresh_from_db()
    assert (run.status, run.stop_requested_by) == (Status.STOPPED, "ann")
    assert not Lease.objects.exists()
    assert lifecycle.start(run.pk, run.token, uuid4(), host="here", pid=1) is None


def test_of_several_stop_requests_only_those_of_the_given_runs_are_carried_out() -> None:
    """The process that wrote another one may have died before it cancelled that run."""
    requested, of_another, not_requested, running = (a_claimed_run() for _each in range(4))
    started(running)
    Run.objects.exclude(pk=not_requested.pk).update(stop_requested_at=database_now())
    assert lifecycle.cancel_unstarted_runs([requested.pk, not_requested.pk, running.pk])
    assert not lifecycle.cancel_unstarted_runs([not_requested.pk, running.pk])
    found = dict(Run.objects.values_list("pk", "status"))
    assert (found.pop(requested.pk), found.pop(running.pk)) == (Status.STOPPED, Status.RUNNING)
    assert found == dict.fromkeys([of_another.pk, not_requested.pk], Status.CLAIMED)


def test_a_stop_of_a_running_run_is_recorded_once_and_left_to_its_supervisor() -> None:
    run = a_claimed_run()
    started(run)
    assert lifecycle.request_stop(run.pk, "ann")
    assert lifecycle.request_stop(run.pk, "bob")
    run.refresh_from_db()
    assert (run.status, run.stop_requested_by) == (Status.RUNNING, "ann")
    assert RunEvent.objects.filter(run=run, kind=EventKind.STOP_REQUESTED).count() == 1


def test_a_stop_of_a_closed_run_returns_false() -> None:
    run = a_claimed_run()
    lifecycle.finish(run.pk, run.token, started(run), Outcome(Status.SUCCEEDED))
    assert not lifecycle.request_stop(run.pk, "ann")


def test_the_force_stop_flag_stops_the_running_run_and_is_cleared() -> None:
    run = a_claimed_run()
    Job.objects.filter(pk=run.job_id).update(force_stop=True)
    tick()
    assert Run.objects.get(pk=run.pk).status == Status.STOPPED
    assert not Job.objects.filter(force_stop=True).exists()


def test_a_claim_that_was_not_started_is_dispatched_again_with_back_off(dummy: object) -> None:
    run = a_claimed_run()
    now = database_now()
    assert tick(now=now).dispatched_run_count == 0
    assert tick(now=now + 61 * SECOND, only=[]).dispatched_run_count == 1
    assert tick(now=now + 122 * SECOND, only=[]).dispatched_run_count == 0
    assert tick(now=now + 190 * SECOND, only=[]).dispatched_run_count == 1
    assert Run.objects.get(pk=run.pk).dispatch_count == 3


def test_a_claim_whose_executor_fails_stays_claimed_with_the_reason() -> None:
    with override_settings(CHRONIKER_EXECUTORS={"default": {"BACKEND": "tests.support.factories.NoSuchExecutor"}}):
        run = a_claimed_run()
        run.refresh_from_db()
        assert run.dispatched_at is None
        assert "NoSuchExecutor" in run.reason
    assert tick(now=database_now() + 6 * SECOND, only=[]).dispatched_run_count == 1
    again = Run.objects.get(pk=run.pk)
    assert again.dispatched_at is not None and again.reason == ""


def test_a_run_with_surviving_processes_is_closed_and_keeps_its_slot_until_they_end() -> None:
    run = a_claimed_run()
    nonce = started(run)
    assert lifecycle.finish(run.pk, run.token, nonce, Outcome(Status.FAILED, survivors=("sleep 60",)))
    run.refresh_from_db()
    assert run.status == Status.FAILED
    assert Lease.objects.filter(pk=run.pk).exists()
    assert "sleep 60" in RunEvent.objects.get(run=run).description
    assert lifecycle.renew(run.pk, run.token, nonce).held
    lifecycle.release_kept_lease(run.pk, run.token, uuid4())
    assert Lease.objects.filter(pk=run.pk).exists(), "only by the supervisor of this run"
    lifecycle.release_kept_lease(run.pk, run.token, nonce)
    assert not Lease.objects.filter(pk=run.pk).exists()


def test_an_open_run_is_not_released() -> None:
    run = a_claimed_run()
    lifecycle.release_kept_lease(run.pk, run.token, started(run))
    assert Lease.objects.filter(pk=run.pk).exists()


def test_a_kept_slot_without_a_supervisor_is_released_after_one_lease() -> None:
    run = a_claimed_run()
    lifecycle.finish(run.pk, run.token, started(run), Outcome(Status.FAILED, survivors=("sleep 60",)))
    let_expire(run)
    assert expire_runs() == []
    run.refresh_from_db()
    assert run.status == Status.FAILED
    assert not Lease.objects.filter(pk=run.pk).exists()
