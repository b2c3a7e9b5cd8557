"""Adopting the jobs of a copied database: what changes for each job, and what for no other."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import connection

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.models import Alert, AlertKind, Job, JobState, Run, Status
from chroniker.reasons import Code
from tests.integration.lifecycle.backfills import a_backfill
from tests.integration.lifecycle.steps import a_claimed_run, ended
from tests.support.factories import a_booked_job, a_due_job, started, state_of

NEVER = "0 0 1 1 *"
HOUR = dt.timedelta(hours=1)


def adopt(job: Job, now: dt.datetime | None = None) -> None:
    lifecycle.adopt_jobs([job.pk], now or database_now(), raise_tokens_by=1000, skip_missed=True)


def test_other_jobs_keep_their_tokens_and_backfills() -> None:
    other, job = (a_booked_job(cron=NEVER) for _each in range(2))
    rows = [a_backfill(each) for each in (other, job)]
    adopt(job)
    assert [state_of(each).last_token >= 1000 for each in (other, job)] == [False, True]
    for row in rows:
        row.refresh_from_db()
    assert [row.is_open for row in rows] == [True, False]


def test_a_job_whose_pending_retry_is_cancelled_is_failing() -> None:
    run = ended(a_claimed_run(max_retries=1, retry_backoff_seconds=3600), Status.FAILED)
    assert not Alert.objects.exists()
    adopt(run.job)
    assert Alert.objects.get().kind == AlertKind.FAILING
    assert state_of(run.job).alerts_open == AlertKind.FAILING.bit


def test_a_time_that_is_due_now_is_skipped() -> None:
    job = a_booked_job(cron=NEVER)
    now = state_of(job).next_instant
    assert now is not None
    adopt(job, now)
    assert Run.objects.get().scheduled_for == now == state_of(job).covered_until
    assert (state_of(job).next_instant or now) > now


def test_the_times_of_a_job_that_was_disabled_by_plain_sql_are_left_to_its_booking() -> None:
    job = a_due_job()
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {Job._meta.db_table} SET enabled = %s WHERE id = %s", [False, job.pk])
    adopt(job)
    assert not Run.objects.exists()
    lifecycle.book_next_instants([job.pk], database_now())
    assert Run.objects.get().code == Code.DISABLED


@pytest.mark.parametrize("is_edited", [True, False])
def test_a_job_that_this_host_cannot_compute_is_marked_as_edited_when_it_was_edited_or_else_now(
    is_edited: bool,
) -> None:
    now = database_now()
    job, other = a_due_job(), a_due_job()
    fields: dict[str, Any] = {"timezone": "Mars/Olympus", "edited_at": now - HOUR if is_edited else None}
    Job.objects.filter(pk=job.pk).update(**fields)
    adopt(job, now)
    assert Job.objects.get(pk=job.pk).edited_at == (now - HOUR if is_edited else now)
    assert Job.objects.get(pk=other.pk).edited_at is None


def test_only_queued_runs_whose_stop_was_not_requested_are_stopped() -> None:
    running, requested, queued = (a_claimed_run() for _each in range(3))
    started(running)
    at = database_now() - HOUR
    Run.objects.filter(pk=requested.pk).update(stop_requested_at=at)
    lifecycle.stop_all_claimed_runs("ann")
    found = {run.pk: (run.status, run.stop_requested_at) for run in Run.objects.all()}
    assert found[running.pk] == (Status.RUNNING, None) and found[requested.pk] == (Status.CLAIMED, at)
    assert found[queued.pk][0] == Status.STOPPED


def test_all_other_jobs_keep_their_states() -> None:
    job, other = a_due_job(), a_due_job()
    before = JobState.objects.filter(pk=other.pk).values().get()
    adopt(job)
    assert JobState.objects.filter(pk=other.pk).values().get() == before
