from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.exceptions import ScheduleError
from chroniker.models import Job, JobState, Run, Status
from chroniker.scheduler.tick import tick
from tests.support.factories import LONG_AGO, a_booked_job, a_due_job, a_job, state_of

SECOND, HOUR = dt.timedelta(seconds=1), dt.timedelta(hours=1)


def test_a_new_job_is_booked_from_the_time_it_was_saved() -> None:
    job = a_job(cron="* * * * *")
    saved = job.edited_at
    assert saved is not None
    lifecycle.book_next_instants([job.pk], saved + 5 * dt.timedelta(minutes=1))
    state = state_of(job)
    assert state.next_instant is not None
    assert dt.timedelta() < state.next_instant - saved <= dt.timedelta(minutes=1)
    assert Job.objects.get(pk=job.pk).edited_at is None


def test_other_jobs_are_not_booked() -> None:
    job, other = a_job(), a_job()
    lifecycle.book_next_instants([job.pk], database_now())
    assert list(JobState.objects.values_list("job", flat=True)) == [job.pk]
    assert Job.objects.get(pk=other.pk).edited_at is not None


def test_a_state_that_another_process_adds_meanwhile_is_no_error() -> None:
    """Also within a transaction of the caller, where nothing is repeated."""
    jobs, added = [a_job(), a_job()], list[JobState]()

    def add_before(execute: Callable[..., Any], sql: str, *words: Any) -> Any:
        if not added and sql.startswith("INSERT") and JobState._meta.db_table in sql:
            added.append(JobState(job=jobs[0]))
            added[0].save(force_insert=True)
        return execute(sql, *words)

    with connection.execute_wrapper(add_before):
        assert lifecycle.book_next_instants([job.pk for job in jobs], database_now()) == 2
    assert added and all(state_of(job).next_run is not None for job in jobs)


def test_a_schedule_error_begins_with_its_kind_unless_its_text_is_for_people() -> None:
    job = a_booked_job()
    lifecycle.suspend_schedule(state_of(job), ScheduleError("cron", "There is no such day."))
    assert state_of(job).schedule_error == "There is no such day."
    lifecycle.suspend_schedule(state_of(job), ZeroDivisionError("division by zero"))
    assert state_of(job).schedule_error == "ZeroDivisionError: division by zero"


def test_an_error_of_a_schedule_that_was_changed_meanwhile_suspends_nothing() -> None:
    job = a_booked_job()
    found = state_of(job)
    job.cron = "*/5 * * * *"
    job.save()
    lifecycle.book_next_instants([job.pk], database_now())
    lifecycle.suspend_schedule(found, ValueError("no such day"))
    assert (state_of(job).schedule_error, state_of(job).next_run is None) == ("", False)


def test_changing_the_schedule_closes_the_range_so_far_with_a_reason() -> None:
    job = a_due_job(minutes=3)
    first = state_of(job).next_instant
    job.cron = "0 3 1 1 *"
    job.save()
    assert tick().claimed == []
    closing = Run.objects.get(job=job)
    assert (closing.status, closing.scheduled_for) == (Status.SKIPPED, first)
    assert "changed" in closing.reason
    assert closing.covered_until == state_of(job).covered_until


@pytest.mark.parametrize("is_before", [True, False])
def test_a_scheduled_time_at_the_moment_of_an_edit_is_one_of_the_old_schedule(is_before: bool) -> None:
    job = a_due_job(minutes=3)
    first = state_of(job).next_instant
    assert first is not None
    edit = first - SECOND if is_before else first
    Job.objects.filter(pk=job.pk).update(cron="0 3 1 1 *", edited_at=edit)
    lifecycle.book_next_instants([job.pk], database_now())
    found = list(Run.objects.filter(job=job).values_list("status", "scheduled_for", "covered_until"))
    assert found == ([] if is_before else [(Status.SKIPPED, first, edit)])
    assert (state_of(job).covered_until, state_of(job).n_skipped) == (edit, len(found))


def test_disabling_and_enabling_covers_all_times_and_runs_no_old_ones() -> None:
    job = a_due_job(minutes=3)
    Job.objects.filter(pk=job.pk).update(enabled=False)
    tick()
    state = state_of(job)
    assert state.next_run is None
    Run.objects.filter(job=job).update(covered_until=state.covered_until)
    disabled_since_yesterday(job)
    Job.objects.filter(pk=job.pk).update(enabled=True)
    assert tick().claimed == []
    reasons = list(Run.objects.filter(job=job).order_by("token").values_list("status", "code"))
    assert reasons == [(Status.SKIPPED, "DISABLED"), (Status.SKIPPED, "DISABLED")]
    next_instant = state_of(job).next_instant
    assert next_instant is not None and next_instant > database_now()


def disabled_since_yesterday(job: Job) -> None:
    """As if the job had been disabled since yesterday."""
    state = state_of(job)
    assert state.covered_until is not None
    type(state).objects.filter(pk=job.pk).update(covered_until=state.covered_until - LONG_AGO)


def test_an_edit_that_does_not_change_the_schedule_closes_nothing() -> None:
    job = a_due_job(minutes=3)
    before = state_of(job)
    job.name = "another name"
    job.save()
    lifecycle.book_next_instants([job.pk], database_now())
    assert state_of(job).next_instant == before.next_instant
    assert not Run.objects.filter(job=job).exists()


def test_the_next_tick_detects_a_job_disabled_by_plain_sql() -> None:
    job = a_due_job(minutes=2)
    table, key = Job._meta.db_table, job.pk
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {table} SET enabled = %s WHERE id = %s", [False, key])
    assert tick().claimed == []
    assert Run.objects.get(job=job).status == Status.SKIPPED
    assert state_of(job).next_run is None


def test_a_schedule_changed_by_plain_sql_is_detected_when_the_job_is_due() -> None:
    job = a_due_job(minutes=2)
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {Job._meta.db_table} SET cron = %s WHERE id = %s", ["0 3 1 1 *", job.pk])
    assert tick().claimed == []
    assert "changed" in Run.objects.get(job=job).reason


def test_a_one_time_job_saved_after_its_time_still_runs_once() -> None:
    job = a_job(frequency="ONCE", cron="", run_at=database_now() - HOUR)
    (run,) = tick().claimed
    assert run.scheduled_for == job.run_at
    assert state_of(job).next_run is None


def test_an_edit_during_booking_is_not_lost() -> None:
    job = a_booked_job()
    Job.objects.filter(pk=job.pk).update(cron="0 3 1 1 *")
    lifecycle.book_next_instants([job.pk], database_now())
    Job.objects.filter(pk=job.pk).update(cron="0 4 1 1 *")
    assert Job.objects.get(pk=job.pk).edited_at is not None
    tick()
    instant = state_of(job).next_instant
    assert instant is not None and instant.hour == 4
