"""PostgreSQL: claims by compiled queries and columns of values write the rows that plain querysets write."""

from __future__ import annotations

import datetime as dt
import itertools
import random
from typing import Any

import pytest
from django.db import transaction

from chroniker.clock.database_clock import database_now
from chroniker.eligibility import due
from chroniker.lifecycle import bulk
from chroniker.models import (
    Activation,
    Alert,
    CatchUp,
    Group,
    Job,
    JobDependency,
    JobState,
    Lease,
    Outbox,
    Overlap,
    Run,
    Status,
    Trigger,
    compiled,
)
from chroniker.scheduler.claiming import SEARCH_ALL_CLAIMS, ClaimSearch, claim_due_jobs
from chroniker.scheduler.tick_result import TickResult
from tests.support.effort import by_day_or_at_night
from tests.support.factories import a_booked_job, a_dependency

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.every_database, pytest.mark.database("postgres")]

STATES = by_day_or_at_night(60, 2000)
JOBS = 8
MOMENT = dt.timedelta(minutes=1)
COMPARED: dict[type[Any], tuple[str, ...]] = {
    Run: ("job_id", "token"), Lease: ("job_id", "slot"), JobState: ("job_id",), Job: ("id",),
    Activation: ("target_id", "made_at"), Alert: ("job_id", "kind"), Outbox: ("event", "send_at"),
}  # fmt: skip
#: New in each form: ids, and what names them.
IDS = {"id", "run_id", "run", "parent_id", "nonce", "payload", "body", "key"}
#: The clock at the check of a claim.
BY_CLOCK = {
    "claimed_at",
    "dispatched_at",
    "finished_at",
    "redispatch_at",
    "expires_at",
    "ended_at",
    "uncounted_since",
    "send_at",
}
BY_CLOCK |= {"raised_at", "reported_at", "alert_at", "edited_at"}


def rows() -> list[dict[str, Any]]:
    found = []
    for model, order in COMPARED.items():
        for row in model.objects.order_by(*order).values():
            kept = {name: value for name, value in row.items() if name not in IDS or model is Job}
            found.append({name: value is None if name in BY_CLOCK else value for name, value in kept.items()})
    return found


class _RolledBack(Exception):
    pass


def claimed(
    now: dt.datetime, search: ClaimSearch, *, fast: bool, monkeypatch: pytest.MonkeyPatch
) -> list[dict[str, Any]]:
    """The rows after the claims of a pass, which are rolled back."""
    monkeypatch.setattr(compiled, "USE_COMPILED_QUERIES", fast)
    monkeypatch.setattr(bulk, "USE_COLUMN_ARRAYS", fast)
    with monkeypatch.context() as patched:
        if not fast:
            patched.setattr(due, "read_due_states", read_by_models)
        try:
            with transaction.atomic():
                for _batch in claim_due_jobs(TickResult(), lambda: now, search=search):
                    pass
                found = rows()
                raise _RolledBack
        except _RolledBack:
            return found


def read_by_models(
    kind: Any, now: dt.datetime, only_jobs: Any = None, *, check_groups: bool = True, limit: int
) -> list[JobState]:
    return list(due.find_due_jobs(kind, now, only_jobs, check_groups=check_groups)[:limit])


def scatter(rng: random.Random, jobs: list[Job], groups: list[Group], now: dt.datetime) -> None:
    """Write random values into all fields that a claim reads, of all these jobs."""
    Run.objects.all().delete()
    for model in (Activation, JobDependency, Alert, Outbox):
        model.objects.all().delete()
    for group in groups:
        limit, paused_at = rng.choice([None, 1, 2]), rng.choice([None, None, now])
        Group.objects.filter(pk=group.pk).update(limit=limit, paused_at=paused_at)
    for job in jobs:
        scatter_job(rng, job, groups)
        scatter_state(rng, job, now)
        if rng.random() < 0.2:
            run = Run.objects.create(
                job=job, token=1, status=Status.CLAIMED, claimed_at=now, redispatch_at=now + MOMENT
            )
            Lease.objects.create(run=run, job=job, token=1, expires_at=now + MOMENT)
        if rng.random() < 0.3:
            Activation.objects.create(target=job, instant=now, made_at=now - MOMENT)
    for dependent, dependee in itertools.pairwise(jobs):
        if rng.random() < 0.4:
            names = ("wait_for_completion", "wait_for_success", "wait_for_next_run")
            a_dependency(dependent, dependee, **{name: rng.random() < 0.5 for name in names})


def scatter_job(rng: random.Random, job: Job, groups: list[Group]) -> None:
    Job.objects.filter(pk=job.pk).update(
        enabled=rng.random() < 0.9,
        force_run=rng.random() < 0.2,
        overlap=rng.choice(Overlap.values),
        catch_up=rng.choice(CatchUp.values),
        hold_on_failure=rng.random() < 0.3,
        misfire_grace_seconds=rng.choice([None, None, 90]),
        jitter_seconds=rng.choice([0, 0, 40]),
        args=rng.choice(["", "--verbosity 1", 'a "b c" {ö},\\']),
        group=rng.choice([None, None, *groups]),
        alert_start_seconds=rng.choice([None, 60]),
        edited_at=None,
    )


def scatter_state(rng: random.Random, job: Job, now: dt.datetime) -> None:
    next_instant = near(rng, now, -3, -1, 1)
    JobState.objects.filter(pk=job.pk).update(
        next_instant=next_instant,
        next_run=next_instant,
        covered_until=now - 4 * MOMENT,
        last_instant=near(rng, now, -4),
        last_token=rng.choice([1, 7, 2**40]),
        retry_at=near(rng, now, -1, 1),
        retry_of=rng.choice([None, 3]),
        retry_attempt=1,
        retry_origin=rng.choice(["", *Trigger.values]),
        retry_status=rng.choice(["", Status.FAILED]),
        held_at=rng.choice([None, None, None, now]),
        failures=rng.choice([0, 2]),
        failing_since=near(rng, now, -9),
        last_status=rng.choice(["", Status.SUCCEEDED, Status.FAILED]),
        booked_fingerprint=job.spec.fingerprint(),
    )


def near(rng: random.Random, now: dt.datetime, *minutes: int) -> dt.datetime | None:
    chosen = rng.choice([None, *minutes])
    return None if chosen is None else now + chosen * MOMENT


def test_a_pass_writes_the_same_rows_in_both_forms(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = [a_booked_job(cron="* * * * *", name=f"job {n}") for n in range(JOBS)]
    groups = [Group.objects.create(name=name) for name in ("day", "night")]
    made = 0
    for seed in range(STATES):
        rng, now = random.Random(seed), database_now().replace(second=30, microsecond=0)
        scatter(rng, jobs, groups, now)
        before = Run.objects.count()
        search = SEARCH_ALL_CLAIMS
        if not Group.objects.exclude(limit=None, paused_at=None).exists():  # as ``pending_work`` finds it
            search = ClaimSearch(check_groups=False)
        fast = claimed(now, search, fast=True, monkeypatch=monkeypatch)
        plain = claimed(now, search, fast=False, monkeypatch=monkeypatch)
        assert fast == plain, f"seed {seed}"
        made += sum("slot" in row and "status" in row for row in fast) - before
    assert made > STATES * 2
