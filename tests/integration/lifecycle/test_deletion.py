"""The ORM deletes a job only if it has no open run."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
from django.db import connection, connections, transaction

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.exceptions import DeletionRefused
from chroniker.models import Job, JobState, Lease, Monitor, Run, Status
from chroniker.scheduler.tick import tick
from tests.support.factories import a_booked_job, a_due_job

WAYS: list[Callable[[Job], object]] = [
    lambda job: job.delete(),
    lambda job: Job.objects.get(pk=job.pk).delete(),
    lambda job: Job.objects.filter(pk=job.pk).delete(),
    lambda job: Monitor.objects.filter(pk=job.pk).delete(),
]


@pytest.mark.parametrize("delete", WAYS)
def test_a_job_with_an_open_run_is_not_deleted(delete: Callable[[Job], object]) -> None:
    job = a_due_job(is_monitor=True)
    (run,) = tick().claimed
    with pytest.raises(DeletionRefused, match="open run"):
        delete(job)
    assert Run.objects.get(pk=run.pk).status == Status.CLAIMED and Lease.objects.filter(pk=run.pk).exists()


@pytest.mark.parametrize("delete", WAYS)
def test_a_job_without_an_open_run_is_deleted(delete: Callable[[Job], object]) -> None:
    delete(a_booked_job(is_monitor=True))
    assert not Job.objects.exists()


def test_a_requested_deletion_does_not_wait_for_the_runs_of_other_jobs() -> None:
    a_due_job()
    assert tick().claimed
    job = a_booked_job(enabled=False, deletion_requested_at=database_now())
    assert lifecycle.delete_jobs([job.pk]) == [job.pk]


def test_of_the_given_jobs_only_disabled_ones_with_a_request_are_deleted() -> None:
    now = database_now()
    not_requested = a_booked_job(enabled=False)
    enabled_again, requested, not_given = (a_booked_job(enabled=False, deletion_requested_at=now) for _each in range(3))
    with connection.cursor() as cursor:  # past the model, which would remove the request
        cursor.execute("UPDATE chroniker_job SET enabled = %s WHERE id = %s", [True, enabled_again.pk])
    assert lifecycle.delete_jobs([not_requested.pk, enabled_again.pk, requested.pk]) == [requested.pk]
    assert set(Job.objects.values_list("pk", flat=True)) == {not_requested.pk, enabled_again.pk, not_given.pk}


@pytest.mark.database("postgres", "mariadb")
@pytest.mark.django_db(transaction=True)
def test_a_deletion_waits_for_a_concurrent_claim() -> None:
    job = a_due_job()
    claimed, go_on = threading.Event(), threading.Event()

    def claim() -> None:
        try:
            with transaction.atomic():
                assert tick().claimed
                claimed.set()
                go_on.wait(1.0)
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as other:
        running = other.submit(claim)
        assert claimed.wait(30)
        with pytest.raises(DeletionRefused):
            job.delete()
        running.result()
    assert Lease.objects.filter(job=job).exists()


@pytest.mark.database("postgres", "mariadb")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("model", [JobState, Job])
def test_a_job_that_another_transaction_has_locked_does_not_hold_up_the_deletion_of_others(model: Any) -> None:
    jobs = [a_booked_job(enabled=False, deletion_requested_at=database_now()) for _each in range(3)]
    locked, first, second = [job.pk for job in jobs]

    def delete(ids: list[int], **options: bool) -> list[int]:
        with closing(connection):
            return lifecycle.delete_jobs(ids, **options)

    with ThreadPoolExecutor(1) as other, transaction.atomic():
        list(model.objects.select_for_update().filter(pk=locked))
        assert other.submit(delete, [locked, first]).result(timeout=60) == [first]
        assert other.submit(delete, [second], wait_for_locks=True).result(timeout=60) == [second]
    assert list(Job.objects.values_list("pk", flat=True)) == [locked]
