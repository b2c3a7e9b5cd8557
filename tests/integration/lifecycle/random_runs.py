"""Runs with random values of all columns that a step looks at."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any
from uuid import UUID

from chroniker.clock.database_clock import database_now
from chroniker.models import OPEN_STATUSES, AlertKind, Job, JobState, Lease, Run, Status, Trigger

HERE, NONCE, OTHER = "here", UUID(int=1), UUID(int=2)
MARGIN = dt.timedelta(seconds=100)  # times of both forms differ by the time that one of them takes


def a_run(rng: random.Random, likely: Status) -> Run:
    """A run with its lease and its job's state, each with random values of all columns that a step looks at."""
    now, job = database_now(), Job.objects.get()
    scatter_job_and_state(rng, now)
    Run.objects.all().delete()
    cause = Run.objects.create(job=job, token=1, chain=1, status=Status.SUCCEEDED, claimed_at=now, finished_at=now)
    run = Run.objects.create(job=job, **random_columns(rng, likely, cause, now))
    if rng.random() < 0.9:
        expires_at = now + rng.choice([1, 1, 1, -1]) * MARGIN
        Lease.objects.create(run=run, job=job, slot=run.slot, token=7, nonce=run.nonce, expires_at=expires_at)
    return run


def scatter_job_and_state(rng: random.Random, now: dt.datetime) -> None:
    Job.objects.update(
        enabled=rng.random() < 0.9,
        max_retries=rng.choice([0, 3]),
        retry_on_lost=rng.random() < 0.5,
        hold_on_failure=rng.random() < 0.5,
    )
    JobState.objects.update(
        retry_at=time_or_none(rng, now),
        retry_of=rng.choice([None, 3]),
        retry_attempt=1,
        retry_status=rng.choice(["", Status.FAILED]),
        retry_origin=rng.choice(["", *Trigger.values]),
        failures=rng.choice([0, 4]),
        failing_since=time_or_none(rng, now),
        last_success_until=time_or_none(rng, now),
        recent_seconds=[300.0] * rng.choice([0, 3, 50]),
        held_at=time_or_none(rng, now),
        alerts_open=rng.choice([0, AlertKind.LATE.bit]),
    )


def random_columns(rng: random.Random, likely: Status, cause: Run, now: dt.datetime) -> dict[str, Any]:
    status = rng.choice([likely] * 4 + [Status.CLAIMED, Status.RUNNING, Status.LOST, Status.SUCCEEDED])
    is_started = status != Status.CLAIMED
    return {
        "token": 7,
        "slot": rng.choice(["", "", "", HERE]),
        "chain": 7,
        "attempt": rng.choice([1, 2]),
        "status": status,
        "trigger": rng.choice(Trigger.values),
        "origin": rng.choice(Trigger.values),
        "claimed_at": now - 5 * MARGIN,
        "dispatched_at": time_or_none(rng, now),
        "cause": rng.choice([None, None, None, cause.pk]),
        "started_at": now - 2 * MARGIN if is_started else None,
        "finished_at": None if status in OPEN_STATUSES else now - MARGIN,
        "required_host": rng.choice(["", "", HERE, "there"]),
        "nonce": rng.choice([NONCE, NONCE, OTHER]) if is_started else None,
        "queue": rng.choice(["", "slow"]),
        "instant_until": time_or_none(rng, now),
        "stop_requested_at": rng.choice([None, None, time(rng, now)]),
        "stop_requested_by": "somebody",
    }


def time(rng: random.Random, now: dt.datetime) -> dt.datetime:
    return now + rng.choice([-10, -3, -1, 1, 3, 10]) * MARGIN


def time_or_none(rng: random.Random, now: dt.datetime) -> dt.datetime | None:
    return rng.choice([None, time(rng, now)])
