"""Past runs of an imported job, beside the runs of chroniker itself."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from chroniker import lifecycle
from chroniker.models import Job, JobState, Run, Status, Trigger
from tests.support.factories import a_job

pytestmark = pytest.mark.django_db

BEGAN = dt.datetime(2026, 11, 30, 12, tzinfo=dt.UTC)


def a_past_run(job: Job, token: int, seconds: float, **fields: Any) -> Run:
    times = {"claimed_at": BEGAN, "started_at": BEGAN, "finished_at": BEGAN + dt.timedelta(seconds=seconds)}
    values = {"status": Status.SUCCEEDED, "trigger": Trigger.SCHEDULE, **times, **fields}
    return Run(job=job, token=token, **values)


def a_job_with_history(runs: int) -> Job:
    job = a_job(cron="1 2 * * *")
    lifecycle.create_state_with_reserved_tokens(job.pk, runs, Status.SUCCEEDED, BEGAN)
    return job


def test_the_usual_duration_is_taken_from_runs_of_the_job_and_from_none_on_a_single_host() -> None:
    other, job = a_job_with_history(1), a_job_with_history(1)
    assert lifecycle.insert_imported_runs(other.pk, [a_past_run(other, 1, 99)], []) == 1
    parent = a_past_run(job, 2, 60, status=Status.FAILED)
    parent.save()
    a_past_run(job, 3, 50, parent=parent).save()
    assert lifecycle.insert_imported_runs(job.pk, [a_past_run(job, 1, 10)], []) == 1
    found = {state.job_id: (state.recent_seconds, state.n_succeeded) for state in JobState.objects.all()}
    assert found == {other.pk: ([99.0], 1), job.pk: ([10.0], 1)}
