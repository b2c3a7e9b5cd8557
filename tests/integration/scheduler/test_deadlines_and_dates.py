"""Start deadline; start and end dates."""

from __future__ import annotations

import datetime as dt

import pytest

from chroniker.clock.database_clock import database_now
from chroniker.models import Lease, Status
from chroniker.scheduler.tick import tick
from tests.support.factories import a_booked_job, a_due_job, state_of

DAY = dt.timedelta(days=1)

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("dummy")]


def test_a_run_that_is_not_started_before_its_start_deadline_is_lost() -> None:
    strict, patient = a_due_job(start_deadline_seconds=30), a_due_job()
    by_job = {run.job_id: run for run in tick().claimed}
    leases = {lease.job_id: lease.expires_at for lease in Lease.objects.all()}
    assert leases[patient.pk] - leases[strict.pk] > DAY / 2
    Lease.objects.update(expires_at=min(leases.values()) - dt.timedelta(hours=1))
    Lease.objects.filter(job=patient).update(expires_at=leases[patient.pk])
    tick()
    for run in by_job.values():
        run.refresh_from_db()
    assert by_job[strict.pk].status == Status.LOST
    assert by_job[patient.pk].status == Status.CLAIMED


def test_nothing_runs_before_the_start_date() -> None:
    tomorrow = (database_now() + DAY).replace(microsecond=0)
    job = a_booked_job(starts_at=tomorrow)
    following = state_of(job).next_run
    assert following is not None and following >= tomorrow
    assert tick().claimed == []
    assert [run.job_id for run in tick(now=following).claimed] == [job.pk]


def test_nothing_runs_after_the_end_date() -> None:
    soon = (database_now() + dt.timedelta(minutes=3)).replace(microsecond=0)
    job = a_booked_job(ends_at=soon)
    (run,) = tick(now=database_now() + DAY).claimed
    assert run.covered_until is not None and run.covered_until <= soon
    assert state_of(job).next_run is None


def test_a_job_whose_end_date_has_passed_has_no_next_run() -> None:
    job = a_booked_job(ends_at=database_now() - DAY)
    assert state_of(job).next_run is None
    assert tick(now=database_now() + DAY).claimed == []
