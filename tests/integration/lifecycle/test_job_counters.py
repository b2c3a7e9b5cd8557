"""What the state of a job records about its results: counters, failures in a row, the usual duration."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.eligibility import hosts
from chroniker.lifecycle.job_health import LOST_ATTEMPTS_BEFORE_FAILURE, MAX_RECENT_DURATIONS
from chroniker.models import EVERY_HOST, HostService, Job, JobState, Run, Status
from chroniker.scheduler.manual_runs import run_now
from chroniker.scheduler.tick import book_edited_jobs, tick
from tests.integration.lifecycle.steps import claimed, ended
from tests.support.factories import a_booked_job, a_due_job, state_of

NEVER = "0 0 1 1 *"
HOUR = dt.timedelta(hours=1)


def a_quiet_job(**fields: Any) -> Job:
    """A job that is not due, whose failed attempts are retried at once."""
    return a_booked_job(**{"cron": NEVER, "retry_backoff_seconds": 0, **fields})


def by_hand(job: Job, status: Status = Status.SUCCEEDED) -> Run:
    return ended(run_now(job, requested_by="a test"), status)


def test_every_ended_run_is_counted_by_its_status() -> None:
    job = a_quiet_job()
    statuses = [Status.SUCCEEDED, Status.FAILED, Status.TIMED_OUT, Status.STOPPED, Status.SUCCEEDED, Status.LOST]
    runs = [by_hand(job, status) for status in statuses]
    state = state_of(job)
    assert (state.n_succeeded, state.n_failed, state.n_timed_out, state.n_stopped, state.n_lost) == (2, 1, 1, 1, 1)
    assert state.bad_permille == 500  # of six, so that a single failed run is not the worst of all jobs
    assert state.seconds_total == pytest.approx(sum(_seconds(run) for run in runs))


def _seconds(run: Run) -> float:
    assert run.started_at is not None
    assert run.finished_at is not None
    return (run.finished_at - run.started_at).total_seconds()


def test_a_run_that_was_cancelled_before_its_start_is_counted_without_a_duration() -> None:
    job = a_quiet_job()
    run = run_now(job, requested_by="a test")
    lifecycle.request_stop(run.pk, "ann")
    state = state_of(job)
    assert (state.n_stopped, state.seconds_total, state.recent_seconds) == (1, 0.0, [])


def test_failures_are_counted_until_a_success() -> None:
    job = a_quiet_job()
    first = by_hand(job, Status.FAILED)
    by_hand(job, Status.TIMED_OUT)
    state = state_of(job)
    assert (state.failures, state.failing_since, state.last_success_at) == (2, first.finished_at, None)
    assert state.bad_permille == 666
    success = by_hand(job)
    state = state_of(job)
    assert (state.failures, state.failing_since, state.last_success_at) == (0, None, success.finished_at)


def test_a_stop_by_a_person_leaves_the_failures_as_they_are() -> None:
    job = a_quiet_job()
    by_hand(job, Status.FAILED)
    by_hand(job, Status.STOPPED)
    assert state_of(job).failures == 1


def test_attempts_of_one_chain_count_as_one_failure_when_it_ends() -> None:
    job = a_quiet_job(max_retries=3)
    by_hand(job, Status.FAILED)
    for _each in range(2):
        assert state_of(job).failures == 0, "a retry is pending"
        ended(claimed(job), Status.FAILED)
    assert state_of(job).failures == 0
    last = ended(claimed(job), Status.FAILED)
    state = state_of(job)
    assert (state.failures, state.failing_since, state.n_failed) == (1, last.finished_at, 4)


def test_a_chain_that_succeeds_in_the_end_is_no_failure() -> None:
    job = a_quiet_job(max_retries=1)
    by_hand(job, Status.FAILED)
    ended(claimed(job))
    state = state_of(job)
    assert (state.failures, state.failing_since, state.n_failed, state.n_succeeded) == (0, None, 1, 1)


def test_a_claim_that_replaces_a_pending_retry_ends_its_chain() -> None:
    """Else a job whose back-off is longer than its interval would fail forever, and never be failing."""
    job = a_due_job(max_retries=5, retry_backoff_seconds=3600)
    first = ended(tick().claimed[0], Status.FAILED)
    assert state_of(job).failures == 0
    JobState.objects.filter(pk=job.pk).update(next_instant=first.covered_until, next_run=first.covered_until)
    Run.objects.filter(pk=first.pk).update(scheduled_for=None, covered_until=None)
    (second,) = tick().claimed
    state = state_of(job)
    assert (state.failures, state.failing_since, state.retry_at) == (1, first.finished_at, None)
    ended(second, Status.FAILED)
    assert state_of(job).failures == 1, "the second chain has a pending retry"


def test_a_run_by_hand_leaves_a_pending_retry_of_another_chain() -> None:
    job = a_quiet_job(max_retries=5, retry_backoff_seconds=3600)
    failed = by_hand(job, Status.FAILED)
    before = state_of(job)
    ended(run_now(job, requested_by="a test"))
    after = state_of(job)
    assert (after.retry_at, after.retry_of, after.retry_attempt) == (before.retry_at, failed.chain, 1)


def test_a_failed_run_by_hand_is_not_retried_while_a_retry_of_another_chain_is_pending() -> None:
    job = a_quiet_job(max_retries=5, retry_backoff_seconds=3600)
    failed = by_hand(job, Status.FAILED)
    by_hand(job, Status.FAILED)
    state = state_of(job)
    assert (state.retry_of, state.failures) == (failed.chain, 1), "the chain of the second run has ended"


def test_disabling_a_job_with_a_pending_retry_ends_its_chain() -> None:
    job = a_quiet_job(max_retries=5, retry_backoff_seconds=3600)
    failed = by_hand(job, Status.FAILED)
    Job.objects.filter(pk=job.pk).update(enabled=False, edited_at=database_now())
    book_edited_jobs(database_now())
    state = state_of(job)
    assert (state.failures, state.failing_since, state.retry_at) == (1, failed.finished_at, None)


def test_a_lost_run_that_is_retried_without_limit_counts_as_failing_from_its_third_attempt_on() -> None:
    job = a_quiet_job(retry_on_lost=True)
    run = run_now(job, requested_by="a test")
    seen = []
    for _each in range(LOST_ATTEMPTS_BEFORE_FAILURE + 1):
        ended(run, Status.LOST)
        seen.append(state_of(job).failures)
        run = claimed(job)
    assert seen == [0, 0, 1, 2]
    assert state_of(job).n_lost == LOST_ATTEMPTS_BEFORE_FAILURE + 1


def test_a_lost_attempt_that_counted_already_is_not_counted_again_when_its_retry_is_dropped() -> None:
    job = a_quiet_job(retry_on_lost=True)
    run = run_now(job, requested_by="a test")
    for _each in range(LOST_ATTEMPTS_BEFORE_FAILURE - 1):
        ended(run, Status.LOST)
        run = claimed(job)
    ended(run, Status.LOST)
    assert state_of(job).failures == 1
    Job.objects.filter(pk=job.pk).update(enabled=False, edited_at=database_now())
    book_edited_jobs(database_now())
    state = state_of(job)
    assert (state.failures, state.retry_at) == (1, None)


def test_nor_when_a_failed_run_of_the_schedule_takes_the_place_of_its_retry() -> None:
    job = a_due_job(retry_on_lost=True, max_retries=1, retry_backoff_seconds=0)
    due = state_of(job)
    JobState.objects.filter(pk=job.pk).update(next_instant=None, next_run=None)
    run = run_now(job, requested_by="a test")
    for _each in range(LOST_ATTEMPTS_BEFORE_FAILURE - 1):
        ended(run, Status.LOST)
        run = claimed(job)
    ended(run, Status.LOST)
    JobState.objects.filter(pk=job.pk).update(
        next_instant=due.next_instant, next_run=due.next_run, retry_at=database_now() + HOUR
    )
    (scheduled,) = tick().claimed
    ended(scheduled, Status.FAILED)
    state = state_of(job)
    assert (state.retry_of, state.failures) == (scheduled.chain, 1), "its own chain continues"


def test_a_retry_on_every_host_that_no_live_host_can_take_ends_its_chain() -> None:
    hosts.record_heartbeat(["default"], host_name="here")
    job = a_quiet_job(max_retries=5, hostname=EVERY_HOST)
    parent = run_now(job, requested_by="a test")
    ended(Run.objects.get(parent=parent), Status.FAILED)
    failed = Run.objects.get(pk=parent.pk)
    assert (failed.status, state_of(job).failures) == (Status.FAILED, 0)
    HostService.objects.all().delete()
    assert tick().claimed == []
    state = state_of(job)
    assert (state.failures, state.failing_since, state.retry_at) == (1, failed.finished_at, None)


def test_skipped_ranges_are_counted_by_the_claim_and_by_the_booking() -> None:
    job = a_due_job(minutes=10, misfire_grace_seconds=1)
    tick()
    assert state_of(job).n_skipped == Run.objects.filter(job=job, status=Status.SKIPPED).count() == 1
    JobState.objects.filter(pk=job.pk).update(next_instant=database_now() - HOUR)
    Job.objects.filter(pk=job.pk).update(cron=NEVER, edited_at=database_now())
    book_edited_jobs(database_now())
    assert state_of(job).n_skipped == Run.objects.filter(job=job, status=Status.SKIPPED).count() == 2


def test_the_usual_duration_is_taken_from_the_latest_successes() -> None:
    job = a_quiet_job()
    JobState.objects.filter(pk=job.pk).update(recent_seconds=[float(n) for n in range(MAX_RECENT_DURATIONS)])
    by_hand(job, Status.FAILED)
    assert len(state_of(job).recent_seconds) == MAX_RECENT_DURATIONS
    success = by_hand(job)
    state = state_of(job)
    assert state.recent_seconds == [*map(float, range(1, MAX_RECENT_DURATIONS)), round(_seconds(success), 3)]
    assert (state.p50, state.p95) == (24.0, 47.0)


def test_the_last_success_of_the_schedule_only_moves_forward() -> None:
    job = a_due_job(minutes=2)
    run = ended(tick().claimed[0])
    assert state_of(job).last_success_until == run.covered_until
    by_hand(job)
    assert state_of(job).last_success_until == run.covered_until, "a run by hand is for no instant of the schedule"


def test_a_retry_of_a_run_by_hand_moves_no_watermark() -> None:
    job = a_quiet_job(max_retries=1)
    by_hand(job, Status.FAILED)
    again = ended(claimed(job))
    state = state_of(job)
    assert (state.last_success_at, state.last_success_until) == (again.finished_at, None)


def test_a_schedule_error_has_a_time_until_the_job_is_edited() -> None:
    job = a_quiet_job()
    lifecycle.suspend_schedule(state_of(job), ValueError("broken"))
    since = state_of(job).schedule_error_since
    assert since is not None
    lifecycle.suspend_schedule(state_of(job), ValueError("still broken"))
    assert state_of(job).schedule_error_since == since
    Job.objects.filter(pk=job.pk).update(edited_at=database_now())
    book_edited_jobs(database_now())
    assert state_of(job).schedule_error_since is None
