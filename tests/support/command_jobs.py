"""Jobs that commands run, and their runs."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.test import override_settings

from chroniker.clock.database_clock import database_now
from chroniker.models import Job, LogChunk, Run, Status, Stream
from chroniker.schedule import Frequency
from chroniker.scheduler.manual_runs import run_now
from tests.support.factories import a_booked_job

INLINE = {"default": {"BACKEND": "chroniker.executors.inline.InlineExecutor"}}
DUMMY = {"default": {"BACKEND": "chroniker.executors.dummy.DummyExecutor"}}


def a_job_due_once(**fields: Any) -> Job:
    """Due since a minute ago, and only once, also on a slow machine."""
    run_at = database_now() - dt.timedelta(minutes=1)
    return a_booked_job(frequency=Frequency.ONCE, cron="", run_at=run_at, **fields)


def a_job_of_new_year(**fields: Any) -> Job:
    """A booked job that is not due."""
    return a_booked_job(cron="0 0 1 1 *", **fields)


def a_monitor(**fields: Any) -> Job:
    """A job that reports three records that need attention."""
    return a_booked_job(**{"command": "attends", "args": "3", "is_monitor": True, **fields})


def an_inline_run_of(job: Job) -> Run:
    """The only run of this job, which ends before this returns."""
    with override_settings(CHRONIKER_EXECUTORS=INLINE):
        run_now(job, "a test")
    return the_run(job)


def the_run(job: Job) -> Run:
    return Run.objects.get(job=job)


def is_running(job: Job) -> bool:
    return Run.objects.filter(job=job, status=Status.RUNNING).exists()


def stdout_of(run: Run) -> str:
    """The stored output."""
    chunks = LogChunk.objects.filter(run=run, stream=Stream.STDOUT).order_by("seq")
    return "".join(chunks.values_list("text", flat=True))
