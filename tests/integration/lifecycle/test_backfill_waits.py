"""What a backfill waits for, and what waits for it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.eligibility import explanations, hosts, pauses
from chroniker.insights.job_status import fetch_job_status
from chroniker.lifecycle import Outcome, backfill_plan
from chroniker.models import EVERY_HOST, Group, Job, JobDependency, JobState, Overlap, Run, Status, Trigger
from chroniker.reasons import Code
from chroniker.scheduler.manual_runs import run_now
from chroniker.scheduler.tick import tick
from tests.integration.lifecycle.backfills import a_backfill, daily, tick_until_ended
from tests.integration.lifecycle.steps import claimed, ended
from tests.support.factories import a_booked_job, a_dependency, a_due_job, started, state_of

pytestmark = pytest.mark.django_db(transaction=True)

MINUTE, HOUR, DAY = dt.timedelta(minutes=1), dt.timedelta(hours=1), dt.timedelta(days=1)


@pytest.mark.parametrize("overlap", Overlap)
def test_a_scheduled_time_waits_for_the_open_run_of_a_backfill(overlap: Overlap) -> None:
    job = daily(2, overlap=overlap)
    a_backfill(job)
    run = claimed()
    later = (state_of(job).next_run or database_now()) + MINUTE / 2
    Job.objects.filter(pk=job.pk).update(misfire_grace_seconds=None)
    started(run)
    assert tick(now=later).claimed == []
    run.refresh_from_db()
    assert (run.status, run.stop_requested_at) == (Status.RUNNING, None)
    assert lifecycle.finish(run.pk, run.token, run.nonce, Outcome(Status.SUCCEEDED))  # type: ignore[arg-type]
    [following] = tick(now=later).claimed
    assert following.trigger == Trigger.SCHEDULE and following.scheduled_for == state_of(job).covered_until
    assert not Run.objects.filter(job=job, code=Code.OVERLAP).exists()


def test_a_run_that_would_not_end_before_the_next_scheduled_time_waits() -> None:
    job = daily(2)
    row = a_backfill(job)
    JobState.objects.filter(pk=job.pk).update(p50=3500.0, next_run=database_now() + 30 * MINUTE)
    assert tick().claimed == []
    state = state_of(job)
    assert state.backfill_at == state.next_run
    JobState.objects.filter(pk=job.pk).update(p50=600.0, backfill_at=database_now() - MINUTE)
    assert claimed().backfill == row.pk


@pytest.mark.parametrize(
    ("usual_seconds", "seconds_left", "expected"), [(60.0, 60, False), (60.0, 61, True), (None, 0.5, True)]
)
def test_a_run_may_begin_if_it_usually_ends_before_the_next_scheduled_time(
    usual_seconds: float | None, seconds_left: float, expected: bool
) -> None:
    now = database_now()
    state = JobState(p50=usual_seconds, next_run=now + dt.timedelta(seconds=seconds_left))
    assert backfill_plan.would_backfill_run_end_before_next_run(state, now) == expected


def test_it_waits_while_a_retry_of_the_schedule_is_pending_and_while_the_job_is_held() -> None:
    job = daily(2)
    a_backfill(job)
    JobState.objects.filter(pk=job.pk).update(retry_at=database_now() + HOUR)
    assert tick().claimed == []
    JobState.objects.filter(pk=job.pk).update(retry_at=None, held_at=database_now(), held_by_run=1)
    assert tick().claimed == []
    JobState.objects.filter(pk=job.pk).update(held_at=None)
    assert claimed().origin == Trigger.BACKFILL


def _wait_for_another(job: Job) -> None:
    a_dependency(job, a_booked_job(name="load", cron="0 0 1 1 *"), wait_for_success=True)


def _fill_the_group(job: Job) -> None:
    group = Group.objects.create(name="night", limit=1)
    Job.objects.filter(pk=job.pk).update(group=group)
    run_now(a_booked_job(name="load", cron="0 0 1 1 *", group=group), requested_by="ann")


def _pause(_job: Job) -> None:
    pauses.pause("ann")


def _disable(job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(enabled=False)


def _enable() -> None:
    Job.objects.update(enabled=True)


def _hold(job: Job) -> None:
    JobState.objects.filter(pk=job.pk).update(held_at=database_now(), held_by_run=1)


def _resume() -> None:
    JobState.objects.update(held_at=None)


@pytest.mark.parametrize(
    ("hold", "release", "expected"),
    [
        (
            _wait_for_another,
            JobDependency.objects.all().delete,
            "Its backfill is due, but waits for “load” to succeed.",
        ),
        (
            _fill_the_group,
            Group.objects.all().delete,
            "Its backfill is due, but its group “night” is full (1 of 1: load).",
        ),
        (_pause, pauses.resume, "The scheduler has been paused since "),
        (_disable, _enable, "It is disabled."),
        (_hold, _resume, "It has been held since run 1 failed."),
    ],
    ids=["dependency", "full group", "pause", "disabled", "held"],
)
def test_a_backfill_waits_while_its_job_may_not_run_and_the_page_says_why(
    hold: Callable[[Job], object], release: Callable[[], object], expected: str
) -> None:
    job = daily(2)
    a_backfill(job)
    hold(job)
    assert tick().claimed == []
    job.refresh_from_db()
    assert fetch_job_status([job])[job.pk].why.startswith(expected)
    release()
    assert claimed().origin == Trigger.BACKFILL


def test_it_leaves_the_last_place_of_a_group_to_a_due_job() -> None:
    group = Group.objects.create(name="night", limit=1)
    job = daily(2, group=group)
    a_backfill(job)
    blocker = a_booked_job(cron="0 0 1 1 *")
    waiting = a_due_job(group=group)
    a_dependency(waiting, blocker, wait_for_success=True)
    assert tick().claimed == [], "the job of the group is due, though it waits for another one"
    state = JobState.objects.select_related("job").get(pk=job.pk)
    found = explanations.explanation_texts([state], database_now())[job.pk]
    assert found == "Its backfill is due, but another job of its group is due."
    waiting.delete()
    assert claimed().origin == Trigger.BACKFILL


@pytest.mark.parametrize(
    ("limit", "group_of_due_job", "n_claimed"), [(2, "night", 0), (None, "night", 1), (2, "day", 1)]
)
def test_it_leaves_no_place_in_a_group_without_a_limit_nor_to_other_groups(
    limit: int | None, group_of_due_job: str, n_claimed: int
) -> None:
    group = Group.objects.create(name="night", limit=limit)
    Group.objects.create(name="day", limit=1)
    job = daily(2, group=group)
    a_backfill(job)
    waiting = a_due_job(group=Group.objects.get(name=group_of_due_job))
    a_dependency(waiting, a_booked_job(cron="0 0 1 1 *"), wait_for_success=True)
    assert [run.job_id for run in tick().claimed] == [job.pk] * n_claimed


def test_dependents_do_not_wait_for_a_run_of_a_backfill() -> None:
    job = daily(2)
    dependent = a_booked_job(cron="0 0 1 1 *")
    a_dependency(dependent, job, wait_for_completion=True)
    a_backfill(job)
    claimed()
    Job.objects.filter(pk=dependent.pk).update(force_run=True)
    assert [run.job_id for run in tick().claimed] == [dependent.pk]


def test_backfills_of_a_job_and_its_dependent_run_side_by_side() -> None:
    dependee, dependent = daily(1), daily(1)
    a_dependency(dependent, dependee, wait_for_completion=True)
    for job in (dependee, dependent):
        a_backfill(job)
    assert {run.job_id for run in tick().claimed} == {dependee.pk, dependent.pk}


def test_a_failed_run_of_a_backfill_leaves_the_dependents_of_its_job_open() -> None:
    job = daily(1)
    dependent = a_booked_job(cron="0 0 1 1 *")
    a_dependency(dependent, job, wait_for_success=True)
    assert ended(run_now(job, requested_by="ann")).status == Status.SUCCEEDED
    row = a_backfill(job)
    while tick_until_ended(row, Status.FAILED):
        pass
    assert row.failed == 1
    Job.objects.filter(pk=dependent.pk).update(force_run=True)
    assert claimed().job_id == dependent.pk


def test_a_job_for_every_host_waits_for_a_live_host_and_its_children_have_no_key() -> None:
    job = daily(1, hostname=EVERY_HOST)
    Run.objects.filter(job=job).update(status=Status.SKIPPED)
    row = a_backfill(job)
    assert tick().claimed == []
    assert not Run.objects.filter(backfill=row.pk).exists()
    for name in ("a", "b"):
        hosts.record_heartbeat([hosts.WorkerReport("default")], host_name=name)
    claims = tick().claimed
    parent = Run.objects.get(backfill=row.pk)
    assert [run.parent_id for run in claims if run.parent_id] == [parent.pk, parent.pk]
    assert {run.origin for run in claims} == {Trigger.BACKFILL}
