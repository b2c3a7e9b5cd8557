"""What a dependency waits for, and what it does not: the state of its own dependee, as its conditions say."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest

from chroniker.clock.database_clock import database_now
from chroniker.eligibility import dependencies
from chroniker.eligibility.dependencies import DependencyEdge, DependencyScope, WaitReason
from chroniker.models import EVERY_HOST, Job, JobDependency, JobState, Run, Status, Trigger
from tests.integration.eligibility.open_runs import an_open_run
from tests.support.factories import a_booked_job, a_dependency, a_due_job, a_job

pytestmark = pytest.mark.django_db

FAR = "0 0 1 1 *"
DAY = dt.timedelta(days=1)
COMPLETION, SUCCESS, TURN = "wait_for_completion", "wait_for_success", "wait_for_next_run"


def succeeded(job: Job) -> None:
    JobState.objects.filter(pk=job.pk).update(last_status=Status.SUCCEEDED)


def failed(job: Job) -> None:
    JobState.objects.filter(pk=job.pk).update(last_status=Status.FAILED)


def running(job: Job) -> None:
    succeeded(job)
    an_open_run(job)


def running_everywhere(job: Job) -> None:
    running(job)
    Job.objects.filter(pk=job.pk).update(hostname=EVERY_HOST)


def running_on_one_host(job: Job) -> None:
    succeeded(job)
    an_open_run(job, slot="7")


def running_for_a_backfill(job: Job) -> None:
    succeeded(job)
    an_open_run(job, origin=Trigger.BACKFILL)


def will_be_retried(job: Job) -> None:
    failed(job)
    JobState.objects.filter(pk=job.pk).update(retry_at=database_now() + DAY)


def due(job: Job) -> None:
    succeeded(job)
    now = database_now()
    JobState.objects.filter(pk=job.pk).update(next_instant=now - DAY, next_run=now - DAY)


def never_booked(job: Job) -> None:
    JobState.objects.filter(pk=job.pk).delete()


def with_an_error(job: Job) -> None:
    succeeded(job)
    JobState.objects.filter(pk=job.pk).update(schedule_error="no such day", next_instant=None, next_run=None)


CASES: list[tuple[str, Callable[[Job], None], str]] = [
    (COMPLETION, succeeded, ""),
    (COMPLETION, failed, ""),
    (COMPLETION, due, ""),
    (COMPLETION, never_booked, ""),
    (COMPLETION, running, "waits for “load” to end"),
    (COMPLETION, running_everywhere, "waits for “load” to end on every host"),
    (COMPLETION, running_on_one_host, ""),
    (COMPLETION, running_for_a_backfill, ""),
    (COMPLETION, will_be_retried, "waits for the retry of “load”"),
    (SUCCESS, succeeded, ""),
    (SUCCESS, running, ""),
    (SUCCESS, running_everywhere, ""),
    (SUCCESS, due, ""),
    (SUCCESS, failed, "waits for “load” to succeed"),
    (SUCCESS, will_be_retried, "waits for “load” to succeed"),
    (SUCCESS, never_booked, "waits for “load” to succeed"),
    (TURN, succeeded, ""),
    (TURN, failed, ""),
    (TURN, running, ""),
    (TURN, will_be_retried, ""),
    (TURN, due, "waits for “load” to run for its due scheduled times"),
    (TURN, never_booked, "waits for “load” to run for its due scheduled times"),
    (TURN, with_an_error, "waits for “load” to run for its due scheduled times"),
]


@pytest.mark.parametrize(("condition", "happens", "expected"), CASES, ids=lambda each: getattr(each, "__name__", each))
def test_a_dependency_waits_as_its_condition_says(
    condition: str, happens: Callable[[Job], None], expected: str
) -> None:
    load, other, report, stranger = (a_booked_job(name=name, cron=FAR) for name in ("load", "other", "report", "next"))
    JobState.objects.filter(pk=report.pk).update(next_instant=database_now())
    running(other)
    a_dependency(report, load, **{condition: True})
    a_dependency(stranger, other, wait_for_completion=True)
    happens(load)
    found = {report.pk: [WaitReason(expected, blocks_scheduled_runs_only=condition == TURN)]} if expected else {}
    assert dependencies.read_reasons_to_wait([report.pk]) == found
    for scope in DependencyScope:
        blocked = JobState.objects.filter(dependencies.blocked_by_dependency_condition(scope), pk=report.pk)
        applies = scope is DependencyScope.ALL or (scope is DependencyScope.CURRENT and condition != TURN)
        assert blocked.exists() == (bool(expected) and applies), scope


def test_the_first_condition_that_is_not_fulfilled_is_named() -> None:
    load, report = a_booked_job(name="load", cron=FAR), a_due_job(name="report")
    a_dependency(report, load, wait_for_completion=True, wait_for_success=True, wait_for_next_run=True)
    named = []
    for happens in (
        never_booked, due, running_for_a_backfill, running_on_one_host, failed, will_be_retried, running,
        running_everywhere,
    ):  # fmt: skip
        if happens is due:
            JobState.objects.create(job=load)
        Run.objects.filter(job=load).delete()
        happens(load)
        [reason] = dependencies.read_reasons_to_wait([report.pk])[report.pk]
        named.append((reason.text, reason.blocks_scheduled_runs_only))
    assert named == [
        ("waits for “load” to succeed", False),
        *3 * [("waits for “load” to run for its due scheduled times", True)],
        ("waits for “load” to succeed", False),
        ("waits for the retry of “load”", False),
        ("waits for “load” to end", False),
        ("waits for “load” to end on every host", False),
    ]


def test_only_a_dependee_whose_scheduled_times_are_waited_for_limits_the_times_that_are_ready() -> None:
    early, late, future = a_due_job(minutes=9), a_due_job(minutes=3), a_booked_job(cron=FAR)
    both, success, patient = (a_due_job() for _each in range(3))
    for dependee in (early, late, future):
        a_dependency(both, dependee, wait_for_next_run=True)
        a_dependency(success, dependee, wait_for_completion=True, wait_for_success=True)
    a_dependency(patient, future, wait_for_next_run=True)
    found = dependencies.read_first_pending_dependee_instants([both.pk, success.pk, patient.pk], database_now())
    assert found == {both.pk: JobState.objects.get(pk=early.pk).next_instant}


def test_the_dependencies_of_a_claim_say_which_dependees_were_never_booked() -> None:
    booked, new, dependent, other = a_booked_job(cron=FAR), a_job(cron=FAR), a_booked_job(), a_booked_job()
    a_dependency(dependent, booked, wait_for_completion=True)
    a_dependency(dependent, new, wait_for_success=True)
    a_dependency(other, booked)
    assert dependencies.read_dependency_edges([dependent.pk]) == [
        DependencyEdge(dependent.pk, booked.pk, wait_for_completion=True, has_state=True),
        DependencyEdge(dependent.pk, new.pk, wait_for_completion=False, has_state=False),
    ]
    assert dependencies.read_dependency_edges([]) == []
    assert JobDependency.objects.count() == 3
