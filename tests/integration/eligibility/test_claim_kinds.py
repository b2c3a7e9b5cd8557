"""A claim kind decides the same in SQL and for a loaded state."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from chroniker.clock.database_clock import database_now
from chroniker.eligibility import explanations
from chroniker.eligibility.claim_kinds import SCHEDULED, TICK_CLAIM_KINDS, ClaimKind
from chroniker.eligibility.waiting_activations import count_waiting_activations_by_job
from chroniker.models import Activation, CatchUp, JobState, Overlap, Trigger
from tests.support.factories import a_booked_job, a_due_job

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("kind", TICK_CLAIM_KINDS, ids=lambda kind: kind.name)
def test_a_kind_is_pending_for_the_same_jobs_in_sql_and_in_memory(kind: ClaimKind) -> None:
    now = database_now()
    for overlap in (Overlap.SKIP, Overlap.WAIT):
        a_due_job(overlap=overlap)
        a_booked_job(overlap=overlap, cron="0 0 1 1 *")
        a_booked_job(overlap=overlap, cron="0 0 1 1 *", force_run=True)
        JobState.objects.filter(job=a_booked_job(overlap=overlap, cron="0 0 1 1 *")).update(retry_at=now)
        JobState.objects.filter(job=a_booked_job(overlap=overlap, cron="0 0 1 1 *")).update(backfill_at=now)
        for waits in ("retry_at", "held_at"):
            both = {"backfill_at": now, waits: now}
            JobState.objects.filter(job=a_booked_job(overlap=overlap, cron="0 0 1 1 *")).update(**both)
    for fields in ({}, {"held_at": now}, {"retry_at": now}):
        target = a_booked_job(cron="0 0 1 1 *")
        Activation.objects.create(target=target, instant=now, made_at=now)
        Activation.objects.create(target=a_booked_job(cron="0 0 1 1 *"), instant=now, made_at=now, ended_at=now)
        JobState.objects.filter(job=target).update(**fields)
    states = JobState.objects.select_related("job")
    waiting = count_waiting_activations_by_job(states.values_list("pk", flat=True))
    for state in states:
        state.__dict__["n_waiting"] = waiting.get(state.pk)
    in_memory = {state.pk for state in states if kind.is_pending(state, now)}
    assert in_memory == set(states.filter(kind.pending_condition(now)).values_list("pk", flat=True)) != set()


def test_a_scheduled_time_waits_for_a_pending_retry_that_its_claim_would_keep() -> None:
    now = database_now()
    policies: dict[str, dict[str, Any]] = {
        "each": {"catch_up": CatchUp.EACH},
        "hold": {"hold_on_failure": True},
        "latest": {},
    }
    keys = {}
    for policy, fields in policies.items():
        for retry_at in (now, None):
            for origin in ("", Trigger.SCHEDULE, Trigger.EVENT, Trigger.MANUAL):
                job = a_due_job(**fields)
                JobState.objects.filter(pk=job.pk).update(retry_at=retry_at, retry_origin=origin)
                keys[job.pk] = (policy, str(origin), retry_at is not None)
    states = JobState.objects.select_related("job")
    waiting = {(policy, origin, True) for policy in ("each", "hold") for origin in ("SCHEDULE", "EVENT")}
    in_memory = {keys[state.pk] for state in states if SCHEDULED.is_pending(state, now)}
    in_sql = {keys[pk] for pk in states.filter(SCHEDULED.pending_condition(now)).values_list("pk", flat=True)}
    assert in_memory == in_sql == {*keys.values()} - waiting


@pytest.mark.parametrize(
    ("next_hour", "retry_hour", "policy", "expected"),
    [
        (2, 1, CatchUp.LATEST, "It failed and will be retried at "),
        (2, 2, CatchUp.LATEST, "It failed and will be retried at "),
        (1, 2, CatchUp.LATEST, "Its next run is at "),
        (1, 2, CatchUp.EACH, "It failed and will be retried at "),
        (None, 1, CatchUp.LATEST, "It failed and will be retried at "),
        (1, None, CatchUp.LATEST, "Its next run is at "),
        (None, None, CatchUp.LATEST, "It has no further scheduled time."),
    ],
)
def test_the_start_that_comes_first_is_named(
    next_hour: int | None, retry_hour: int | None, policy: CatchUp, expected: str
) -> None:
    now, job = database_now(), a_booked_job(cron="0 0 1 1 *", catch_up=policy)
    next_run, retry_at = (each and now + dt.timedelta(hours=each) for each in (next_hour, retry_hour))
    rows = JobState.objects.filter(pk=job.pk)
    rows.update(next_instant=next_run, next_run=next_run, retry_at=retry_at, retry_origin=Trigger.SCHEDULE)
    [text] = explanations.explanation_texts(rows.select_related("job"), now).values()
    assert text.startswith(expected)
