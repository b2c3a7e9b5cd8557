"""PostgreSQL: a statement or a step that waited for a lock decides by the rows that it then sees."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection, connections, transaction

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.lifecycle import Outcome
from chroniker.models import Job, JobState, Lease, Run, Status
from chroniker.scheduler.tick import tick
from tests.integration.lifecycle.random_runs import HERE
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


def in_another_thread(step: Callable[[], Any], results: list[Any]) -> threading.Thread:
    """Returns when the step waits for a lock of this thread's transaction."""

    def run() -> None:
        try:
            results.append(step())
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    with connection.cursor() as cursor:
        while thread.is_alive():
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone()[0]:
                break
    return thread
