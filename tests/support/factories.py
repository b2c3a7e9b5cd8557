"""Rows for tests, each with the minimum of valid fields."""

from __future__ import annotations

import datetime as dt
import itertools
import os
import time
from typing import Any
from uuid import UUID, uuid4

from chroniker import lifecycle
from chroniker.clock import simulated_time
from chroniker.clock.database_clock import database_now
from chroniker.models import Job, JobDependency, JobState, Run

_numbers = itertools.count(1)
LONG_AGO = dt.timedelta(days=1)
EVERY_MINUTE = "* * * * *"
#: Enough for a test from its first job to its end.
SECONDS_LEFT_OF_A_MINUTE = 4
_test_with_jobs = ""


def a_job(**fields: Any) -> Job:
    """A job as saved by a form; by default every minute, and not booked yet.

    A test makes its first job with the default schedule when at least ``SECONDS_LEFT_OF_A_MINUTE`` are left. If it ends
    within this time, no minute begins meanwhile.
    """
    values = {"name": f"job {next(_numbers)}", "command": "noop", "cron": EVERY_MINUTE, "timezone": "UTC", **fields}
    if values["cron"] == EVERY_MINUTE:
        _let_a_minute_begin_that_is_near()
    return Job.objects.create(**values)


def _let_a_minute_begin_that_is_near() -> None:
    """Only before the first job of a test: the jobs that exist would become due during the wait."""
    global _test_with_jobs
    test, _space, _phase = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")
    now = dt.datetime.now(dt.UTC)
    left = 60 - now.second - now.microsecond / 1_000_000
    if test != _test_with_jobs and simulated_time.simulated_now() is None and left < SECONDS_LEFT_OF_A_MINUTE:
        time.sleep(left + 0.01)
    _test_with_jobs = test


def a_booked_job(*, since: dt.datetime | None = None, **fields: Any) -> Job:
    """A job whose timeline begins at ``since`` (default: now)."""
    job = a_job(**fields)
    since = since or database_now()
    Job.objects.filter(pk=job.pk).update(edited_at=since)
    lifecycle.book_next_instants([job.pk], max(since, database_now()))
    job.refresh_from_db()
    return job


def a_due_job(*, minutes: int = 1, **fields: Any) -> Job:
    """A job with one missed scheduled time for each of the last ``minutes``."""
    return a_booked_job(since=minutes_ago(minutes), **fields)


def minutes_ago(minutes: int) -> dt.datetime:
    """Just before that minute began."""
    _let_a_minute_begin_that_is_near()
    return database_now().replace(second=0, microsecond=0) - dt.timedelta(minutes=minutes, seconds=1)


def state_of(job: Job) -> JobState:
    return JobState.objects.get(pk=job.pk)


def a_dependency(dependent: Job, dependee: Job, **flags: bool) -> JobDependency:
    """Without a condition, except those given as true."""
    conditions = {"wait_for_completion": False, "wait_for_success": False, "wait_for_next_run": False, **flags}
    return JobDependency.objects.create(dependent=dependent, dependee=dependee, **conditions)


def started(run: Run, host: str = "here") -> UUID:
    """Start a claimed run as a supervisor does. Returns its nonce."""
    nonce = uuid4()
    assert lifecycle.start(run.pk, run.token, nonce, host=host, pid=1) is not None
    return nonce
