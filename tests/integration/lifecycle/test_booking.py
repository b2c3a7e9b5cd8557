from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.exceptions import ScheduleError
from chroniker.models import Alert, AlertKind, Group, Job, JobState, Run, Status
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
    job, new, edited = a_job(), a_job(), a_booked_job()
    edited.cron = "*/5 * * * *"
    edited.save()
    lifecycle.book_next_instants([job.pk], database_now())
    assert set(JobState.objects.values_list("job", flat=True)) == {job.pk, edited.pk}
    assert set(Job.objects.exclude(edited_at=None)) == {new, edited}


def test_the_groups_of_all_booked_jobs_are_read_by_one_statement() -> None:
    def statements(jobs: int) -> int:
        ids = [a_job(group=Group.objects.create(name=f"{n} of {jobs}")).pk for n in range(jobs)]
        with CaptureQueriesContext(connection) as captured:
            lifecycle.book_next_instants(ids, database_now())
        return len(captured)

    assert statements(1) == statements(3)


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


def test_a_schedule_that_cannot_be_computed_is_suspended_and_other_jobs_are_booked() -> None:
    broken, other = a_job(), a_job()
    Job.objects.filter(pk=broken.pk).update(cron="nonsense")
    assert lifecycle.book_next_instants([broken.pk, other.pk], database_now()) == 2
    assert "nonsense" in state_of(broken).schedule_error and state_of(broken).next_run is None
    assert state_of(other).next_run is not None


def test_an_error_suspends_and_reports_its_job_alone() -> None:
    other, job = a_booked_job(), a_booked_job()
    lifecycle.suspend_schedule(state_of(job), ValueError("no such day"))
    assert state_of(other).schedule_error == ""
    assert list(Alert.objects.values_list("job", "kind")) == [(job.pk, AlertKind.SET_ASIDE)]


def test_after_an_edit_a_suspended_schedule_continues_from_the_edit() -> None:
    job = a_due_job(minutes=3)
    lifecycle.suspend_schedule(state_of(job), ValueError("no such day"))
    now = database_now()
    Job.objects.filter(pk=job.pk).update(edited_at=now)
    lifecycle.book_next_instants([job.pk], now)
    state = state_of(job)
    assert state.schedule_error == "" and state.next_instant is not None and state.next_instant > now


def test_the_error_of_a_host_is_recorded_since_the_first_host_had_one() -> None:
    job, now = a_booked_job(), database_now()
    Job.objects.filter(pk=job.pk).update(timezone="Mars/Olympus")
    for host, since_now in (("web1", dt.timedelta()), ("web2", HOUR)):
        with override_settings(CHRONIKER_HOSTNAME=host):
            lifecycle.book_next_instants([job.pk], now + since_now)
        assert state_of(job).schedule_error.startswith(f"{host}: ")
        assert state_of(job).schedule_error_since == now


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
    assert (closing.status, closing.scheduled_for, closing.attempt) == (Status.SKIPPED, first, 0)
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


@pytest.mark.parametrize("schedule", [{"cron": "0 3 1 1 *"}, {"frequency": "MANUAL", "cron": ""}])
def test_a_job_has_its_schedule_since_the_edit_that_changed_it(schedule: dict[str, str]) -> None:
    """``expected_since`` also begins when the job is enabled; other edits, and disabling, change neither."""
    now = database_now()
    job = a_booked_job(since=now - 9 * HOUR, **schedule)
    edits: list[tuple[dict[str, Any], int, int]] = [
        ({"priority": 9}, 9, 9),
        ({"cron": "0 4 1 1 *", "frequency": "CRON"}, 7, 7),
        ({"enabled": False}, 7, 7),
        ({"enabled": True}, 7, 5),
    ]
    for hours, (edit, fingerprint_since, expected_since) in zip((8, 7, 6, 5), edits, strict=True):
        Job.objects.filter(pk=job.pk).update(edited_at=now - hours * HOUR, **edit)
        lifecycle.book_next_instants([job.pk], now)
        found = state_of(job).fingerprint_since, state_of(job).expected_since
        assert found == (now - fingerprint_since * HOUR, now - expected_since * HOUR), edit


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
