"""A claim kind decides the same in SQL and for a loaded state."""

from __future__ import annotations

import pytest

from chroniker.clock.database_clock import database_now
from chroniker.eligibility.claim_kinds import TICK_KINDS, ClaimKind
from chroniker.eligibility.waiting_activations import count_waiting_activations_by_job
from chroniker.models import Activation, JobState, Overlap
from tests.support.factories import a_booked_job, a_due_job

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("kind", TICK_KINDS, ids=lambda kind: kind.name)
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
