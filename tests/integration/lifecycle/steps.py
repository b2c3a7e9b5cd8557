"""Steps in the life of a run: a tick claims it, it ends, or its lease expires."""

from __future__ import annotations

import datetime as dt
from typing import Any

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.lifecycle import Outcome
from chroniker.models import Job, Lease, Run, Status
from chroniker.scheduler.tick import expire_runs, tick
from tests.support.factories import a_due_job, started


def claimed(job: Job | None = None, *, now: dt.datetime | None = None) -> Run:
    """The run of ``job`` that a tick claims; without a job, the only run that it claims."""
    runs = tick(now=now).claimed
    [run] = [run for run in runs if run.job_id == job.pk and run.slot == ""] if job else runs
    return run


def a_claimed_run(**fields: Any) -> Run:
    return claimed(a_due_job(**fields))


def ended(run: Run, status: Status = Status.SUCCEEDED) -> Run:
    if status == Status.LOST:
        started(run)
        let_expire(run)
        expire_runs()
    else:
        assert lifecycle.finish(run.pk, run.token, started(run), Outcome(status))
    return reread(run)


def reread(run: Run) -> Run:
    return Run.objects.select_related("job").get(pk=run.pk)


def let_expire(run: Run) -> None:
    Lease.objects.filter(pk=run.pk).update(expires_at=database_now() - dt.timedelta(minutes=10))
