"""After the end of a run one statement finds out whether anything waits for it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from chroniker.clock.database_clock import database_now
from chroniker.eligibility import hosts
from chroniker.eligibility.due import are_claims_and_messages_due_after_run
from chroniker.models import EVERY_HOST, Group, Job, JobState, JobTrigger, Outbox, Run, Status
from chroniker.scheduler.manual_runs import run_now
from chroniker.scheduler.tick import claim_after_run
from tests.support.factories import a_booked_job, a_dependency, a_due_job

pytestmark = pytest.mark.django_db


@pytest.fixture
def ended() -> Job:
    """The job whose run has ended. Nothing else is due."""
    return a_booked_job(cron="0 0 1 1 *")


def of_itself(ended: Job) -> None:
    JobState.objects.filter(pk=ended.pk).update(next_run=database_now() - dt.timedelta(minutes=1))


def of_a_dependent(ended: Job) -> None:
    a_dependency(a_due_job(), ended)


def of_a_target(ended: Job) -> None:
    JobTrigger.objects.create(source=ended, target=a_due_job())


def of_its_group(ended: Job) -> None:
    group = Group.objects.create(name="narrow", limit=1)
    Job.objects.filter(pk__in=[ended.pk, a_due_job().pk]).update(group=group)


@pytest.mark.parametrize("work", [of_itself, of_a_dependent, of_a_target, of_its_group])
def test_what_waits_is_found(ended: Job, work: Callable[[Job], None]) -> None:
    a_due_job()  # of others
    assert are_claims_and_messages_due_after_run(ended.pk) == (False, False)
    work(ended)
    assert are_claims_and_messages_due_after_run(ended.pk) == (True, False)


def test_a_group_without_a_limit_holds_nothing_back(ended: Job) -> None:
    of_its_group(ended)
    Group.objects.update(limit=None)
    assert are_claims_and_messages_due_after_run(ended.pk) == (False, False)


def test_a_due_message_is_found(ended: Job) -> None:
    now = database_now()
    run = Run.objects.create(job=ended, token=1, status=Status.SUCCEEDED, claimed_at=now, finished_at=now)
    Outbox.objects.create(run=run, channel="mail:1", send_at=now)
    assert are_claims_and_messages_due_after_run(ended.pk) == (False, True)


def test_where_nothing_waits_there_is_no_other_statement(ended: Job) -> None:
    with CaptureQueriesContext(connection) as statements:
        assert claim_after_run(ended.pk).claimed == []
    assert len(statements) == 1


@pytest.mark.usefixtures("dummy")
def test_only_jobs_of_its_own_group_are_claimed(ended: Job) -> None:
    """Other groups have room for their own reasons: the next tick claims their jobs."""
    a_due_job(group=Group.objects.create(name="another", limit=1))
    of_its_group(ended)
    [run] = claim_after_run(ended.pk).claimed
    assert run.job.group is not None and run.job.group.name == "narrow"


@pytest.mark.usefixtures("dummy")
def test_dependents_wait_for_no_open_run_on_every_host_of_another_job(ended: Job) -> None:
    """Nor do those without a condition wait for a further run of their dependee."""
    hosts.record_heartbeat(["default"], host_name="web1")
    run_now(a_booked_job(cron="0 0 1 1 *", hostname=EVERY_HOST), requested_by="a test")
    run_now(ended, requested_by="a test")
    dependent = a_due_job()
    a_dependency(dependent, ended)
    assert [run.job_id for run in claim_after_run(ended.pk).claimed] == [dependent.pk]
