"""Pending retries: when they are due, and what happens when a person or another run ends one."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.lifecycle.pending_retries import compute_next_retry_time
from chroniker.models import Job, JobState, Run, Status
from chroniker.scheduler.manual_runs import run_now
from tests.integration.lifecycle.steps import claimed, ended
from tests.support.alert_clock import AlertClock
from tests.support.factories import a_booked_job, a_due_job, state_of

NEVER = "0 0 1 1 *"
LATER = {"max_retries": 1, "retry_on_lost": True, "retry_backoff_seconds": 3600}


def a_job_with_a_pending_retry(status: Status = Status.FAILED, **fields: Any) -> Job:
    job = a_booked_job(**{"cron": NEVER, **LATER, **fields})
    ended(run_now(job, requested_by="ann"), status)
    assert state_of(job).retry_at is not None
    return job


@pytest.mark.parametrize(
    ("attempt", "seconds"), [(1, 100), (2, 200), (3, 400), (10, 51_200), (11, 86_400), (40, 86_400)]
)
def test_the_back_off_doubles_up_to_a_day(attempt: int, seconds: int) -> None:
    now = database_now()
    job, run = Job(max_retries=99, retry_backoff_seconds=100), Run(status=Status.FAILED, attempt=attempt)
    assert compute_next_retry_time(job, run, now) == now + dt.timedelta(seconds=seconds)


def test_only_the_pending_retry_of_the_given_job_is_cancelled() -> None:
    other, job = a_job_with_a_pending_retry(), a_job_with_a_pending_retry()
    before = JobState.objects.values().get(pk=other.pk)
    assert lifecycle.cancel_retry(job.pk) is not None
    assert state_of(job).retry_at is None
    assert JobState.objects.values().get(pk=other.pk) == before


def test_only_a_later_retry_of_the_given_job_becomes_due_now() -> None:
    other, job, without = a_job_with_a_pending_retry(), a_job_with_a_pending_retry(), a_booked_job(cron=NEVER)
    before = state_of(other).retry_at
    assert lifecycle.make_retry_due_now(job.pk)
    due = state_of(job).retry_at
    assert due is not None and due <= database_now()
    assert not lifecycle.make_retry_due_now(job.pk), "it is due already"
    assert not lifecycle.make_retry_due_now(without.pk)
    assert [state_of(each).retry_at for each in (job, other, without)] == [due, before, None]


def test_a_lost_attempt_is_a_failure_when_its_retry_is_cancelled() -> None:
    job = a_job_with_a_pending_retry(Status.LOST)
    assert state_of(job).failures == 0
    lifecycle.cancel_retry(job.pk)
    assert state_of(job).failures == 1


def test_a_failed_run_of_the_schedule_ends_the_chain_of_a_pending_retry_by_hand() -> None:
    job = a_due_job(**LATER)
    by_hand = ended(run_now(job, requested_by="ann"), Status.FAILED)
    scheduled = claimed(job)
    assert (state_of(job).retry_of, state_of(job).failures) == (by_hand.chain, 0)
    scheduled = ended(scheduled, Status.FAILED)
    state = state_of(job)
    assert (state.retry_of, state.failures, state.failing_since) == (scheduled.chain, 1, scheduled.finished_at)


@pytest.mark.parametrize("limit", [100, None])
def test_after_a_cancelled_retry_alerts_that_depend_on_the_time_are_looked_at_at_once(
    clock: AlertClock, limit: int | None
) -> None:
    clock.at(minutes=1)
    job = a_job_with_a_pending_retry(alert_start_seconds=limit)
    before, now = state_of(job).alert_at, clock.at(minutes=2)
    lifecycle.cancel_retry(job.pk)
    assert state_of(job).alert_at == (now if limit else before)
