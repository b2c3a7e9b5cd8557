"""Runs that have ended, and subscribers that are notified."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.contrib.auth.models import User

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.lifecycle import Outcome
from chroniker.models import FailingChannel, Job, Lease, LogChunk, Outbox, Run, Status, Stream
from chroniker.reasons import Reason
from chroniker.scheduler.manual_runs import run_now
from chroniker.scheduler.tick import expire_runs, tick
from tests.support.factories import a_booked_job, a_due_job, started

NEW_YEAR = "0 0 1 1 *"


def a_subscriber(name: str = "ann", **fields: Any) -> User:
    return User.objects.create(username=name, email=f"{name}@example.com", **fields)


def a_job_with_subscribers(*users: User, **fields: Any) -> Job:
    """A job that is not due, with subscribers."""
    job = a_booked_job(**{"cron": NEW_YEAR, **fields})
    job.subscribers.set(users)
    return job


def ended(job: Job, status: Status, *, output: str = "", stderr: str = "", reason: str = "", **ending: Any) -> Run:
    """One run of ``job``, executed and closed as by a supervisor."""
    run = run_now(job, requested_by="a test")
    nonce = started(run)
    for stream, text in ((Stream.STDOUT, output), (Stream.STDERR, stderr)):
        if text:
            LogChunk.objects.create(run=run, stream=stream, seq=0, text=text, written_at=database_now())
    assert lifecycle.finish(run.pk, run.token, nonce, Outcome(status, reason=Reason(text=reason), **ending))
    return Run.objects.get(pk=run.pk)


def lost(job: Job) -> Run:
    run = run_now(job, requested_by="a test")
    started(run)
    Lease.objects.filter(pk=run.pk).update(expires_at=database_now() - dt.timedelta(minutes=10))
    expire_runs()
    return Run.objects.get(pk=run.pk)


def missed(*users: User, **fields: Any) -> Run:
    """The SKIPPED run of a new job whose scheduled times are older than its misfire grace."""
    job = a_due_job(minutes=10, misfire_grace_seconds=60, **fields)
    job.subscribers.set(users)
    tick()
    return Run.objects.get(job=job, status=Status.SKIPPED)


def make_due() -> None:
    """Make all waiting messages due now."""
    moment = database_now() - dt.timedelta(seconds=1)
    Outbox.objects.exclude(send_at=None).update(send_at=moment)
    FailingChannel.objects.update(deferred_until=moment)
