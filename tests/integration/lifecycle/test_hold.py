"""Hold on failure: after a failed chain of the schedule only runs by hand are claimed, until the job is resumed."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import connection

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.eligibility import due, explanations, hosts
from chroniker.eligibility.claim_kinds import SCHEDULED
from chroniker.lifecycle import Outcome, claim_plan
from chroniker.lifecycle.job_health import LOST_ATTEMPTS_BEFORE_FAILURE
from chroniker.models import EVERY_HOST, Host, HostService, Job, JobState, Lease, Overlap, Run, Status, Trigger
from chroniker.scheduler import pending_work
from chroniker.scheduler.manual_runs import run_now
from chroniker.scheduler.tick import book_edited_jobs, expire_runs, tick
from tests.integration.lifecycle.steps import claimed, ended
from tests.support.factories import a_dependency, a_due_job, started, state_of

HOUR = dt.timedelta(hours=1)


def a_holding_job(**fields: Any) -> Job:
    return a_due_job(**{"hold_on_failure": True, "minutes": 3, "retry_backoff_seconds": 0, **fields})


def is_claimed(job: Job) -> bool:
    return any(run.job_id == job.pk for run in tick().claimed)


def make_due(job: Job) -> None:
    """A scheduled time of the job has come."""
    state = state_of(job)
    at = database_now() - dt.timedelta(seconds=1)
    JobState.objects.filter(pk=job.pk).update(next_instant=min(state.next_instant or at, at), next_run=at)


def a_held_job(**fields: Any) -> Job:
    job = a_holding_job(**fields)
    ended(claimed(job), Status.FAILED)
    make_due(job)
    assert state_of(job).held_at is not None
    return job


@pytest.mark.parametrize("status", [Status.FAILED, Status.TIMED_OUT])
def test_a_failed_run_of_the_schedule_holds_the_job(status: Status) -> None:
    job = a_holding_job()
    run = ended(claimed(job), status)
    state = state_of(job)
    assert (state.held_at, state.held_by_run, state.failures) == (run.finished_at, run.token, 1)
    make_due(job)
    assert not is_claimed(job)


def test_a_lost_run_holds_the_job() -> None:
    job = a_holding_job()
    run = claimed(job)
    started(run)
    Lease.objects.filter(pk=run.pk).update(expires_at=database_now() - HOUR)
    expire_runs()
    assert state_of(job).held_by_run == run.token


def test_a_run_that_is_lost_again_and_again_holds_the_job_instead_of_a_further_retry() -> None:
    job = a_holding_job(retry_on_lost=True)
    run = claimed(job)
    for attempt in range(1, LOST_ATTEMPTS_BEFORE_FAILURE + 1):
        assert (run.attempt, state_of(job).held_at) == (attempt, None)
        started(run)
        Lease.objects.filter(pk=run.pk).update(expires_at=database_now() - HOUR)
        expire_runs()
        if attempt < LOST_ATTEMPTS_BEFORE_FAILURE:
            run = claimed(job)
    state = state_of(job)
    assert (state.held_by_run, state.retry_at, state.failures) == (run.token, None, 1)


def test_a_run_by_hand_that_is_lost_again_and_again_is_retried_without_limit() -> None:
    job = a_holding_job(retry_on_lost=True, cron="0 0 1 1 *", minutes=0)
    run = run_now(job, requested_by="ann")
    for _each in range(LOST_ATTEMPTS_BEFORE_FAILURE):
        started(run)
        Lease.objects.filter(pk=run.pk).update(expires_at=database_now() - HOUR)
        expire_runs()
        run = claimed(job)
    assert (run.trigger, run.attempt, state_of(job).held_at) == (Trigger.RETRY, LOST_ATTEMPTS_BEFORE_FAILURE + 1, None)


@pytest.mark.parametrize("status", [Status.SUCCEEDED, Status.STOPPED])
def test_a_run_that_succeeded_or_was_stopped_holds_nothing(status: Status) -> None:
    job = a_holding_job()
    ended(claimed(job), status)
    assert state_of(job).held_at is None


def test_a_job_that_is_not_to_be_held_continues() -> None:
    job = a_holding_job(hold_on_failure=False)
    ended(claimed(job), Status.FAILED)
    make_due(job)
    assert state_of(job).held_at is None
    assert is_claimed(job)


def test_the_retries_come_before_the_hold_and_no_scheduled_time_replaces_one() -> None:
    job = a_holding_job(max_retries=1, retry_backoff_seconds=3600)
    first = ended(claimed(job), Status.FAILED)
    make_due(job)
    assert not is_claimed(job), "it waits for the retry"
    found = explanations.explain_why_not_running(
        [JobState.objects.select_related("job").get(pk=job.pk)], database_now()
    )[job.pk]
    assert found.text.startswith("It failed and will be retried at ") and found.is_held
    assert state_of(job).held_at is None
    JobState.objects.filter(pk=job.pk).update(retry_at=database_now())
    retry = claimed(job)
    assert (retry.trigger, retry.chain) == (Trigger.RETRY, first.chain)
    ended(retry, Status.FAILED)
    assert state_of(job).held_by_run == retry.token


def test_a_run_by_hand_is_possible_and_its_failure_changes_nothing() -> None:
    job = a_held_job()
    before = state_of(job)
    ended(run_now(job, requested_by="ann"), Status.FAILED)
    after = state_of(job)
    assert (after.held_at, after.held_by_run) == (before.held_at, before.held_by_run)


def test_the_flag_runs_a_held_job() -> None:
    job = a_held_job()
    Job.objects.filter(pk=job.pk).update(force_run=True)
    assert claimed(job).trigger == Trigger.MANUAL


def test_a_failed_run_by_hand_does_not_hold_a_job() -> None:
    job = a_holding_job()
    ended(run_now(job, requested_by="ann"), Status.FAILED)
    assert state_of(job).held_at is None


def test_a_successful_run_by_hand_resumes_the_job() -> None:
    job = a_held_job()
    ended(run_now(job, requested_by="ann"))
    state = state_of(job)
    assert (state.held_at, state.held_by_run, state.failures) == (None, None, 0)
    assert is_claimed(job)


def test_a_resumed_job_continues_with_what_waited() -> None:
    job = a_held_job()
    waiting = state_of(job).next_instant
    assert lifecycle.resume_jobs([job.pk]) == [job.pk]
    assert claimed(job).scheduled_for == waiting
    assert lifecycle.resume_jobs([job.pk]) == [], "it was not held"


def test_a_claim_that_was_planned_before_the_hold_is_not_written() -> None:
    """The revision that the claim compares under its lock."""
    job = a_holding_job()
    now = database_now()
    stale = [
        claim_plan.plan_scheduled_run(state, now) for state in due.find_due_jobs(SCHEDULED, now) if state.pk == job.pk
    ]
    ended(claimed(job), Status.FAILED)
    assert lifecycle.claim(stale, now) == []


def test_a_held_job_skips_nothing_during_a_run_by_hand() -> None:
    job = a_held_job(overlap=Overlap.SKIP)
    run_now(job, requested_by="ann")
    tick()
    assert not Run.objects.filter(job=job, status=Status.SKIPPED).exists()


def test_a_held_job_does_not_stop_its_run_by_hand() -> None:
    job = a_held_job(overlap=Overlap.REPLACE)
    run = run_now(job, requested_by="ann")
    started(run)
    tick()
    assert Run.objects.get(pk=run.pk).stop_requested_at is None


def test_a_held_job_is_no_work_for_a_tick() -> None:
    a_held_job()
    work = pending_work.find_pending_work()
    assert not work.search.kinds
    assert not work.search.may_replace_open_runs


def test_disabling_a_job_with_a_pending_retry_ends_its_chain_and_holds_it() -> None:
    job = a_holding_job(max_retries=1, retry_backoff_seconds=3600)
    failed = ended(claimed(job), Status.FAILED)
    Job.objects.filter(pk=job.pk).update(enabled=False, edited_at=database_now())
    book_edited_jobs(database_now())
    state = state_of(job)
    assert (state.retry_at, state.retry_of, state.held_by_run) == (None, None, failed.token)


def test_disabling_a_job_with_a_pending_retry_of_a_run_by_hand_does_not_hold_it() -> None:
    job = a_holding_job(max_retries=1, retry_backoff_seconds=3600)
    ended(run_now(job, requested_by="ann"), Status.FAILED)
    Job.objects.filter(pk=job.pk).update(enabled=False, edited_at=database_now())
    book_edited_jobs(database_now())
    state = state_of(job)
    assert (state.failures, state.retry_at, state.held_at) == (1, None, None)


def test_a_retry_that_finds_no_host_ends_its_chain_and_holds_the_job() -> None:
    host = Host.objects.create(name="here", last_seen=database_now())
    HostService.objects.create(host=host, executor="default", last_seen=database_now())
    job = a_holding_job(hostname=EVERY_HOST, max_retries=1, retry_backoff_seconds=0)
    tick()
    child = Run.objects.get(job=job, parent__isnull=False)
    ended_child = lifecycle.finish(child.pk, child.token, started(child, child.required_host), Outcome(Status.FAILED))
    assert ended_child
    assert state_of(job).held_at is None
    HostService.objects.all().delete()
    hosts.live_hosts_by_executor(["default"])
    tick()
    assert state_of(job).held_at is not None


def test_a_job_that_waits_for_a_held_one_waits() -> None:
    job = a_held_job()
    dependent = a_due_job()
    waiting = state_of(job).next_instant
    JobState.objects.filter(pk=dependent.pk).update(next_instant=waiting, next_run=waiting)
    a_dependency(dependent, job, wait_for_next_run=True)
    assert not is_claimed(dependent)


def test_the_reason_names_the_run() -> None:
    job = a_held_job()
    state = JobState.objects.select_related("job").get(pk=job.pk)
    found = explanations.explain_why_not_running([state], database_now())[job.pk]
    assert (found.text, found.is_held) == ("It has been held since run 1 failed.", True)


def test_a_held_job_that_was_disabled_past_the_model_is_booked() -> None:
    job = a_held_job()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE chroniker_job SET enabled = %s WHERE id = %s", [False, job.pk])
    assert pending_work.find_pending_work().edits
    tick()
    assert state_of(job).next_run is None
