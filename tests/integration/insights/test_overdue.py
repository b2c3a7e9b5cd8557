"""Which jobs are overdue: the start page, the list, its filter, a job's state and the health agree."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest
from django.test import override_settings

from chroniker.clock.database_clock import database_now
from chroniker.insights import health_facts, job_filters
from chroniker.insights.attention import fetch_attention_items
from chroniker.insights.current_work import fetch_current_work
from chroniker.insights.job_filters import JobFilter, fetch_job_conditions
from chroniker.insights.job_status import fetch_job_status
from chroniker.models import CatchUp, Group, Job, JobState, Ticker, Trigger
from chroniker.scheduler.manual_runs import run_now
from tests.support.factories import a_booked_job, a_dependency, a_due_job, a_job, started

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("dummy")]

EVERYWHERE = {"state", "filter", "start page", "attention", "health"}


def due_for(seconds: int) -> Job:
    job = a_due_job()
    JobState.objects.filter(pk=job.pk).update(next_run=database_now() - dt.timedelta(seconds=seconds))
    return job


def a_tick_every(seconds: int) -> None:
    values = {"host": "here", "kind": "cron", "version": "2", "pid": 1, "pass_seconds": 0.1}
    Ticker.objects.create(period=seconds, last_at=database_now(), **values)


def overdue_in(job: Job) -> set[str]:
    """The places that show the job as overdue."""
    health_facts.clear_cached_health_facts()
    now = database_now()
    facts = health_facts.get_cached_health_facts(now)
    assert facts is not None
    status = fetch_job_status([Job.objects.get(pk=job.pk)], now)[job.pk]
    found = {
        "state": status.state_code == "overdue",
        "filter": job_filters.matching_jobs(JobFilter(show="overdue"), fetch_job_conditions(now))
        .filter(pk=job.pk)
        .exists(),
        "start page": ("overdue", job.pk) in [(each.code, each.job.pk) for each in fetch_current_work(now).waiting],
        "attention": ("overdue", job) in [(item.kind, item.job) for item in fetch_attention_items(now).items],
        "health": facts.overdue_since is not None,
    }
    return {place for place, is_overdue in found.items() if is_overdue}


@pytest.mark.parametrize(
    ("period", "seconds", "expected"),
    [
        (5, 45, EVERYWHERE),
        (60, 45, set()),
        (60, 150, EVERYWHERE),
        (300, 150, set()),
        (None, 45, EVERYWHERE),
        (None, 15, set()),
    ],
)
def test_a_job_is_overdue_after_two_periods_of_the_tick(period: int | None, seconds: int, expected: set[str]) -> None:
    if period is not None:
        a_tick_every(period)
    assert overdue_in(due_for(seconds)) == expected


def test_a_job_whose_retry_is_later_is_overdue_by_its_schedule() -> None:
    job = due_for(150)
    JobState.objects.filter(pk=job.pk).update(retry_at=database_now() + dt.timedelta(hours=1))
    assert overdue_in(job) == EVERYWHERE


@pytest.mark.parametrize("edited", [False, True])
def test_a_job_that_a_dependency_holds_back_is_not_overdue(edited: bool) -> None:
    job = due_for(150)
    a_dependency(job, a_job(), wait_for_success=True)
    if edited:
        Job.objects.filter(pk=job.pk).update(edited_at=database_now())
    assert overdue_in(job) == set()


def test_no_job_is_overdue_while_all_are_paused() -> None:
    job = due_for(150)
    with override_settings(CHRONIKER_PAUSED=True):
        assert overdue_in(job) == set()


def runs_for_long(job: Job) -> None:
    started(run_now(job, requested_by="a test"))


def is_held(job: Job) -> None:
    JobState.objects.filter(pk=job.pk).update(held_at=database_now(), held_by_run=1)


def has_a_full_group(job: Job) -> None:
    group = Group.objects.create(name="narrow", limit=1)
    run_now(a_booked_job(cron="0 0 1 1 *", group=group), requested_by="a test")
    Job.objects.filter(pk=job.pk).update(group=group)


def is_retried_first(job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(catch_up=CatchUp.EACH, misfire_grace_seconds=3600)
    later = database_now() + dt.timedelta(hours=1)
    JobState.objects.filter(pk=job.pk).update(
        retry_at=later, retry_of=1, retry_attempt=1, retry_origin=Trigger.SCHEDULE, retry_status="FAILED"
    )


@pytest.mark.parametrize("holds_back", [runs_for_long, is_held, has_a_full_group, is_retried_first])
def test_a_job_that_no_tick_would_claim_is_not_overdue(holds_back: Callable[[Job], None]) -> None:
    job = due_for(1500)
    assert overdue_in(job) == EVERYWHERE
    holds_back(job)
    assert overdue_in(job) == set()
