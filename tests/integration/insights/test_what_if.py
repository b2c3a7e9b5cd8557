"""The effects of an edit, as they are shown before it is saved, compared with what the save then does."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.eligibility import dependencies
from chroniker.insights.timetable import ScheduledTimeChange
from chroniker.insights.what_if import compute_edit_effects
from chroniker.models import Group, Host, HostService, Job, JobDependency, JobState, Lease, Run, Status
from chroniker.models.calendar import Blackout, Calendar
from chroniker.scheduler.manual_runs import run_now
from tests.integration.insights.effects_of_edits import edited, shown_for
from tests.support.factories import a_booked_job, a_dependency, a_due_job, state_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("dummy")]

MINUTE, HOUR = dt.timedelta(minutes=1), dt.timedelta(hours=1)
NEVER = {"frequency": "ONCE", "cron": "", "run_at": dt.datetime(2020, 1, 1, tzinfo=dt.UTC)}
edits: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
        {},
        {"enabled": False},
        {"cron": "*/3 * * * *"},
        {"cron": "0 3 * * *"},
        {"timezone": "Asia/Tokyo"},
        {"jitter_seconds": 90},
        {"name": "another name"},
        {**NEVER},
    ]
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=st.sampled_from(["* * * * *", "*/2 * * * *", "0 0 1 1 *"]), was_on=st.booleans(), fields=edits)
def test_the_save_skips_what_was_shown(before: str, was_on: bool, fields: dict[str, Any]) -> None:
    with transaction.atomic():
        job = a_due_job(minutes=5, cron=before)
        if not was_on:
            Job.objects.filter(pk=job.pk).update(enabled=False)
            lifecycle.book_next_instants([job.pk], database_now())
            JobState.objects.filter(pk=job.pk).update(covered_until=database_now() - 4 * MINUTE)
            fields = {"enabled": True, **fields}
            Run.objects.all().delete()
            job.refresh_from_db()
        shown = shown_for(job, **fields)
        changed = edited(job, **fields)
        changed.save(update_fields=[*fields]) if fields else None
        if Job.objects.filter(pk=job.pk, edited_at__isnull=False).exists():
            lifecycle.book_next_instants([job.pk], database_now())
        found = Run.objects.filter(job=job.pk, status=Status.SKIPPED).first()
        assume(database_now().minute == shown.now.minute)  # no scheduled time came in between
        transaction.set_rollback(True)
    if found is None:
        assert shown.skipped is None
        return
    assert shown.skipped is not None and found.scheduled_for is not None and found.covered_until is not None
    assert (shown.skipped.first, shown.skipped.code) == (found.scheduled_for, found.code)
    step = {"* * * * *": 1, "*/2 * * * *": 2, "*/3 * * * *": 3}.get((fields if not was_on else {}).get("cron", before))
    if step:
        minutes = range(int((found.covered_until - found.scheduled_for) / MINUTE) + 1)
        due = [m for n in minutes if (m := found.scheduled_for + n * MINUTE).minute % step == 0]
        assert (shown.skipped.count, shown.skipped.last) == (len(due), due[-1])


flags = st.fixed_dictionaries({f"wait_for_{each}": st.booleans() for each in ("completion", "success", "next_run")})


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    edge=flags,
    result=st.sampled_from(["", Status.SUCCEEDED, Status.FAILED]),
    fields=st.sampled_from([{}, {"enabled": False}, NEVER, {**NEVER, "force_run": True}]),
    retry=st.booleans(),
    is_open=st.booleans(),
)
def test_a_dependant_waits_for_ever_if_nothing_is_left_that_ends_its_wait(
    edge: dict[str, bool], result: str, fields: dict[str, Any], retry: bool, is_open: bool
) -> None:
    with transaction.atomic():
        job, other = a_booked_job(name="a"), a_booked_job(name="b")
        JobDependency.objects.create(dependent=other, dependee=job, **edge)
        if is_open:
            run_now(job, "somebody")
        retry_at = database_now() + 9 * MINUTE if retry else None
        JobState.objects.filter(pk=job.pk).update(last_status=result, retry_at=retry_at)
        job.force_run = bool(fields.get("force_run"))
        job.save(update_fields=["force_run"])
        (shown,) = shown_for(job, **fields).dependants
        edited(job, **fields).save(update_fields=[*fields]) if fields else None
        lifecycle.book_next_instants([job.pk], database_now() + MINUTE / 60)
        later = JobState.objects.filter(dependencies.blocked_by_dependency_condition(), pk=other.pk)
        state, is_flagged = state_of(job), Job.objects.get(pk=job.pk).force_run
        has_run = Lease.objects.filter(job=job.pk).exists()
        something_runs = state.next_run is not None or state.retry_at is not None or is_flagged or has_run
        expected = later.exists() and not something_runs
        transaction.set_rollback(True)
    assert shown.can_never_start == expected


def test_an_estimate_needs_a_usual_duration() -> None:
    job = a_booked_job(cron="0 * * * *", overlap="SKIP")
    assert shown_for(job).overlap_of_usual_runs is None
    JobState.objects.filter(pk=job.pk).update(p50=600.0, p95=1500.0)
    found = shown_for(job, cron="*/20 * * * *")
    usual, slow = found.overlap_of_usual_runs, found.overlap_of_slow_runs
    assert usual and slow
    assert (usual.before.affected, usual.after.affected, slow.before.affected) == (0, 0, 0)
    assert (slow.after.run_count, slow.after.skipped) == (36, 36)
    assert found.runs_per_day == (24, 72)


def test_a_pending_retry_is_dropped_by_disabling() -> None:
    job = a_booked_job()
    JobState.objects.filter(pk=job.pk).update(retry_at=database_now() + MINUTE)
    assert not shown_for(job).drops_retry
    assert shown_for(job, enabled=False).drops_retry


def test_a_saved_schedule_that_is_invalid_has_no_times() -> None:
    job = a_booked_job()
    Job.objects.filter(pk=job.pk).update(cron="61 * * * *")
    found = shown_for(job, cron="0 3 * * *")
    assert found.runs_per_day == (0.0, 1.0)
    assert {row.change for row in found.times} == {ScheduledTimeChange.ADDED}


def test_of_the_due_times_of_an_invalid_schedule_the_first_is_shown() -> None:
    job = a_due_job(minutes=5)
    first = state_of(job).next_run
    Job.objects.filter(pk=job.pk).update(cron="61 * * * *")
    skipped = shown_for(job, cron="0 3 * * *").skipped
    assert skipped is not None and (skipped.first, skipped.count, skipped.has_more) == (first, 1, True)


@pytest.mark.parametrize(("calendar", "statements"), [(False, 6), (True, 7)])
def test_a_forecast_takes_six_statements_and_one_for_its_calendar(calendar: bool, statements: int) -> None:
    closed = Calendar.objects.create(name="closed")
    Blackout.objects.create(calendar=closed, name="x", starts_at=database_now(), ends_at=database_now() + MINUTE)
    host = Host.objects.create(name="h", last_seen=database_now())
    HostService.objects.create(host=host, executor="default", queues=[], slots=2, last_seen=host.last_seen)
    job = a_booked_job(calendar=closed if calendar else None, group=Group.objects.create(name="g", limit=1))
    for number in range(20):
        other = a_booked_job(cron=f"*/{number + 1} * * * *", group=job.group, calendar=closed)
        a_dependency(other, job, wait_for_success=True)
    job = Job.objects.select_related("group").get(pk=job.pk)
    with CaptureQueriesContext(connection) as queries:
        shown_for(job, cron="*/2 * * * *")
    assert len(queries) == statements
    with CaptureQueriesContext(connection) as queries:
        compute_edit_effects(Job(name="new", command="noop", cron="*/2 * * * *", timezone="UTC"))
    assert len(queries) == 5
