"""A person resumes jobs that are held."""

from __future__ import annotations

import pytest

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.models import Job, JobState
from tests.support.alert_clock import AlertClock
from tests.support.factories import a_booked_job, state_of


def hold(job: Job) -> Job:
    JobState.objects.filter(pk=job.pk).update(held_at=database_now(), held_by_run=1)
    return job


def test_only_the_given_jobs_are_resumed() -> None:
    job, other = hold(a_booked_job()), hold(a_booked_job())
    assert lifecycle.resume_jobs([job.pk]) == [job.pk]
    assert (state_of(job).held_at, state_of(job).held_by_run) == (None, None)
    assert state_of(other).held_at is not None and state_of(other).resumed_at is None


@pytest.mark.parametrize("limit", [100, None])
def test_after_a_hold_alerts_that_depend_on_the_time_are_looked_at_at_once(
    clock: AlertClock, limit: int | None
) -> None:
    job = hold(clock.job(cron="0 0 1 1 *", alert_start_seconds=limit))
    JobState.objects.filter(pk=job.pk).update(alert_at=None)
    now = clock.at(minutes=2)
    lifecycle.resume_jobs([job.pk])
    assert state_of(job).alert_at == (now if limit else None)
