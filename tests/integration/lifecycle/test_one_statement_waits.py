"""PostgreSQL: a statement or a step that waited for a lock decides by the rows that it then sees."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.db import transaction
from django.db.models import QuerySet

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.eligibility import hosts
from chroniker.lifecycle import Outcome
from chroniker.models import EVERY_HOST, Job, JobState, Lease, Run, Status
from chroniker.scheduler.tick import tick
from tests.integration.lifecycle.random_runs import HERE
from tests.integration.lifecycle.waiting_threads import in_another_thread
from tests.support.factories import a_due_job, started

# The other databases have the plain form only.
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.every_database,
    pytest.mark.database("postgres"),
    pytest.mark.usefixtures("prepared_statements"),
]


def test_a_start_that_waited_for_the_expiry_of_its_run_changes_nothing() -> None:
    a_due_job()
    (run,) = tick().claimed
    results: list[Any] = []
    with transaction.atomic():
        Run.objects.filter(pk=run.pk).update(status=Status.LOST, finished_at=database_now())
        Lease.objects.filter(pk=run.pk).delete()
        waiting = in_another_thread(lambda: lifecycle.start(run.pk, run.token, uuid4(), host=HERE, pid=1), results)
    waiting.join()
    assert results == [None]
    assert Run.objects.get(pk=run.pk).status == Status.LOST


def test_a_finish_that_waited_for_the_expiry_of_its_run_changes_nothing() -> None:
    job = a_due_job()
    (run,) = tick().claimed
    nonce = started(run)
    results: list[Any] = []
    with transaction.atomic():
        list(JobState.objects.select_for_update().filter(pk=job.pk))
        Run.objects.filter(pk=run.pk).update(status=Status.LOST, finished_at=database_now())
        JobState.objects.filter(pk=job.pk).update(n_lost=1)
        waiting = in_another_thread(
            lambda: lifecycle.finish(run.pk, run.token, nonce, Outcome(Status.SUCCEEDED)), results
        )
    waiting.join()
    assert results == [False]
    state = JobState.objects.get(pk=job.pk)
    assert (state.n_lost, state.n_succeeded) == (1, 0)


def test_a_finish_that_waited_sees_what_the_other_transaction_wrote_to_the_state() -> None:
    job = a_due_job()
    (run,) = tick().claimed
    nonce = started(run)
    results: list[Any] = []
    with transaction.atomic():
        list(JobState.objects.select_for_update().filter(pk=job.pk))
        JobState.objects.filter(pk=job.pk).update(n_succeeded=41, revision=99)
        waiting = in_another_thread(
            lambda: lifecycle.finish(run.pk, run.token, nonce, Outcome(Status.SUCCEEDED)), results
        )
    waiting.join()
    state = JobState.objects.get(pk=job.pk)
    assert (results, state.n_succeeded, state.revision) == ([True], 42, 100)


def test_a_finish_that_waited_for_an_edit_of_the_job_decides_by_the_edited_job() -> None:
    job = a_due_job(max_retries=3)
    (run,) = tick().claimed
    nonce = started(run)
    results: list[Any] = []
    with transaction.atomic():
        list(JobState.objects.select_for_update().filter(pk=job.pk))
        Job.objects.filter(pk=job.pk).update(enabled=False)
        JobState.objects.filter(pk=job.pk).update(revision=99)
        waiting = in_another_thread(lambda: lifecycle.finish(run.pk, run.token, nonce, Outcome(Status.FAILED)), results)
    waiting.join()
    assert results == [True]
    assert JobState.objects.get(pk=job.pk).retry_at is None


def test_a_cancellation_of_a_retry_waits_for_the_state_of_its_job() -> None:
    job = a_due_job(max_retries=1)
    (run,) = tick().claimed
    lifecycle.finish(run.pk, run.token, started(run), Outcome(Status.FAILED))
    results: list[Any] = []
    with transaction.atomic():
        list(JobState.objects.select_for_update().filter(pk=job.pk))
        waiting = in_another_thread(lambda: lifecycle.cancel_retry(job.pk), results)
    waiting.join()
    assert results == [run.token]
    assert JobState.objects.get(pk=job.pk).retry_at is None


def test_the_end_of_a_run_with_a_kept_slot_waits_for_the_state_of_its_job() -> None:
    job = a_due_job()
    (run,) = tick().claimed
    nonce, outcome = started(run), Outcome(Status.FAILED, survivors=("sleep 60",))
    results: list[Any] = []
    with transaction.atomic():
        list(JobState.objects.select_for_update().filter(pk=job.pk))
        waiting = in_another_thread(lambda: lifecycle.finish(run.pk, run.token, nonce, outcome), results)
    waiting.join()
    assert results == [True]
    assert JobState.objects.get(pk=job.pk).n_failed == 1


@pytest.mark.parametrize("locked", ["state", "run"])
def test_the_cancellation_of_a_claim_waits_for_the_locks_of_others(locked: str) -> None:
    job = a_due_job()
    (run,) = tick().claimed
    Run.objects.filter(pk=run.pk).update(stop_requested_at=database_now())
    rows = JobState.objects.filter(pk=job.pk) if locked == "state" else Run.objects.filter(pk=run.pk)
    results: list[Any] = []
    with transaction.atomic():
        list(rows.select_for_update())
        waiting = in_another_thread(lambda: lifecycle.cancel_unstarted_runs([run.pk]), results)
    waiting.join()
    assert results == [True]
    assert JobState.objects.get(pk=job.pk).n_stopped == 1


@pytest.mark.usefixtures("runtime")
@pytest.mark.parametrize("locked", ["held lease", "start deadline", "redispatch"])
def test_the_reset_after_a_clock_jump_waits_for_the_locks_of_others(locked: str) -> None:
    a_due_job(start_deadline_seconds=600)
    (run,) = tick().claimed
    if locked == "held lease":
        started(run)
    far = database_now() + dt.timedelta(days=1)
    Lease.objects.update(expires_at=far)
    Run.objects.filter(status=Status.CLAIMED).update(redispatch_at=far)
    rows: QuerySet[Any] = Run.objects.all() if locked == "redispatch" else Lease.objects.all()
    results: list[Any] = []
    with transaction.atomic():
        list(rows.select_for_update())
        waiting = in_another_thread(lifecycle.reset_deadlines_after_clock_jump, results)
    waiting.join()
    run.refresh_from_db()
    assert Lease.objects.get().expires_at < far
    assert run.redispatch_at is None or run.redispatch_at < far


#: Steps that lock the state of a job.
STEPS: dict[str, Callable[[int], Any]] = {
    "a hold is lifted": lambda job_id: lifecycle.resume_jobs([job_id]),
    "past runs are inserted": lambda job_id: lifecycle.insert_imported_runs(job_id, [], []),
    "other claims are waited for": lambda job_id: lifecycle.wait_for_state_locks([job_id]),
}


@pytest.mark.parametrize("name", STEPS)
def test_a_step_waits_for_the_state_of_its_job_and_for_no_other(name: str) -> None:
    job, other = a_due_job(), a_due_job()
    JobState.objects.update(held_at=database_now(), held_by_run=1)
    results: list[Any] = []
    with transaction.atomic():
        list(JobState.objects.select_for_update().filter(pk=job.pk))
        in_another_thread(lambda: STEPS[name](other.pk), results).join(timeout=20)
        assert len(results) == 1
        waiting = in_another_thread(lambda: STEPS[name](job.pk), results)
        assert len(results) == 1
    waiting.join()
    assert len(results) == 2


@pytest.mark.parametrize("locked", ["parent", "child"])
def test_a_stop_request_waits_for_each_run_that_it_stops(locked: str) -> None:
    hosts.record_heartbeat(["default"], host_name=HERE)
    a_due_job(hostname=EVERY_HOST)
    parent, child = tick().claimed
    results: list[Any] = []
    with transaction.atomic():
        list(Run.objects.select_for_update().filter(pk={"parent": parent, "child": child}[locked].pk))
        waiting = in_another_thread(lambda: lifecycle.request_stop(parent.pk, "ann"), results)
        assert results == []
    waiting.join()
    assert list(Run.objects.values_list("stop_requested_by", "status")) == [("ann", Status.STOPPED)] * 2
