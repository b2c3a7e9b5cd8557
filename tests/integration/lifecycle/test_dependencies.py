from __future__ import annotations

import datetime as dt
from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.eligibility import circles, explanations
from chroniker.lifecycle import Outcome
from chroniker.models import Job, JobState, Run, Status
from chroniker.scheduler.manual_runs import run_now
from chroniker.scheduler.tick import claim_after_run, tick
from tests.support.factories import a_booked_job, a_dependency, a_due_job, started, state_of

MINUTE, DAY = dt.timedelta(minutes=1), dt.timedelta(days=1)


def claimed_jobs() -> set[int]:
    return {run.job_id for run in tick().claimed}


def end(run: Run, status: Status = Status.SUCCEEDED) -> None:
    lifecycle.finish(run.pk, run.token, started(run), Outcome(status))


def test_wait_for_completion_waits_while_the_dependee_is_open_or_will_be_retried() -> None:
    dependee = a_due_job(max_retries=1)
    (run,) = tick().claimed
    dependent = a_due_job()
    a_dependency(dependent, dependee, wait_for_completion=True)
    assert claimed_jobs() == set()
    end(run, Status.FAILED)
    assert state_of(dependee).retry_at is not None
    assert claimed_jobs() == set()
    JobState.objects.filter(pk=dependee.pk).update(retry_at=None)
    assert claimed_jobs() == {dependent.pk}


def test_of_a_job_and_its_dependent_that_are_due_at_once_the_job_is_claimed_first() -> None:
    dependee, dependent = a_due_job(minutes=2), a_due_job()
    a_dependency(dependent, dependee, wait_for_completion=True)
    (run,) = tick().claimed
    assert run.job_id == dependee.pk and claimed_jobs() == set()
    end(run)
    assert claimed_jobs() == {dependent.pk}


def test_other_conditions_do_not_wait_for_the_end_of_a_run_that_is_claimed_at_once() -> None:
    dependee, dependent = a_booked_job(), a_due_job()
    end(run_now(dependee, requested_by="ann"))
    a_dependency(dependent, dependee, wait_for_success=True)
    Job.objects.update(force_run=True)
    assert claimed_jobs() == {dependee.pk, dependent.pk}


def test_a_dependent_does_not_wait_for_a_job_whose_scheduled_times_are_skipped_at_once() -> None:
    now = database_now()
    dependee = a_booked_job(
        since=now - DAY, frequency="ONCE", cron="", run_at=now - DAY + MINUTE, misfire_grace_seconds=60
    )
    dependent = a_due_job()
    a_dependency(dependent, dependee, wait_for_completion=True)
    assert claimed_jobs() == {dependent.pk}
    assert Run.objects.get(job=dependee).status == Status.SKIPPED


def test_wait_for_success_waits_until_the_latest_attempt_succeeded() -> None:
    dependee, dependent = a_booked_job(), a_due_job()
    a_dependency(dependent, dependee, wait_for_success=True)
    assert claimed_jobs() == set()
    for status, ready in ((Status.FAILED, set()), (Status.SUCCEEDED, {dependent.pk})):
        Job.objects.filter(pk=dependee.pk).update(force_run=True)
        (run,) = tick().claimed
        end(run, status)
        assert claimed_jobs() == ready


def test_wait_for_next_run_waits_until_all_earlier_scheduled_times_are_covered() -> None:
    dependee, dependent, does_not_wait = (a_due_job(minutes=2) for _each in range(3))
    a_dependency(dependent, dependee, wait_for_next_run=True)
    a_dependency(does_not_wait, dependee)
    assert claimed_jobs() == {dependee.pk, does_not_wait.pk}
    assert claimed_jobs() == {dependent.pk}


def test_a_dependent_covers_only_scheduled_times_that_are_ready() -> None:
    dependee, dependent = a_due_job(minutes=5), a_due_job(minutes=5)
    a_dependency(dependent, dependee, wait_for_next_run=True)
    now = database_now()
    (first,) = tick(only=[dependee.pk], now=now - 3 * MINUTE).claimed
    end(first)
    (run,) = tick(only=[dependent.pk], now=now).claimed
    assert run.covered_until == first.covered_until


def test_a_suspended_job_blocks_jobs_that_wait_for_its_next_run() -> None:
    dependee, dependent = a_due_job(), a_due_job()
    a_dependency(dependent, dependee, wait_for_next_run=True)
    lifecycle.suspend_schedule(state_of(dependee), ValueError("no such day"))
    assert claimed_jobs() == set()


def test_a_finish_evaluates_the_dependents_at_once() -> None:
    # Due since New Year: no other scheduled time comes while the test runs.
    yearly: dict[str, Any] = {"cron": "0 0 1 1 *", "since": database_now() - 370 * DAY}
    dependee, dependent, stranger = a_booked_job(**yearly), a_booked_job(**yearly), a_booked_job()
    a_dependency(dependent, dependee, wait_for_completion=True, wait_for_success=True, wait_for_next_run=True)
    (run,) = tick().claimed
    JobState.objects.filter(pk=stranger.pk).update(next_run=database_now() - MINUTE)
    end(run)
    assert [each.job_id for each in claim_after_run(dependee.pk).claimed] == [dependent.pk]


def test_a_dependency_cycle_is_found_and_named_completely() -> None:
    one, two, three = a_booked_job(), a_booked_job(), a_booked_job()
    a_dependency(two, three)
    a_dependency(three, one)
    assert circles.find_dependency_cycle(one.pk, [two.pk]) == [one.pk, two.pk, three.pk, one.pk]
    assert circles.find_dependency_cycle(one.pk, []) is None
    assert circles.find_dependency_cycle(two.pk, [one.pk]) is None


def test_the_reason_for_waiting_is_described_in_words() -> None:
    dependee, dependent = a_due_job(name="load"), a_due_job()
    a_dependency(dependent, dependee, wait_for_completion=True, wait_for_success=True)
    tick(only=[dependee.pk])
    state = JobState.objects.select_related("job").get(pk=dependent.pk)
    assert "waits for “load” to end" in explanations.explanation_texts([state], database_now())[dependent.pk]


def test_the_reasons_for_waiting_need_a_constant_number_of_statements() -> None:
    jobs = [a_due_job() for _each in range(10)]
    states = list(JobState.objects.filter(pk__in=[job.pk for job in jobs]).select_related("job"))
    with CaptureQueriesContext(connection) as few:
        explanations.explanation_texts(states[:1], database_now())
    with CaptureQueriesContext(connection) as many:
        explanations.explanation_texts(states, database_now())
    assert len(few) == len(many)
