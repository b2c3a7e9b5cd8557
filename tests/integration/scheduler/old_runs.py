"""Runs of a job, and what deletes the old ones."""

from __future__ import annotations

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.lifecycle import claim_plan
from chroniker.models import Job, Run
from chroniker.scheduler import retention
from tests.support.factories import state_of
from tests.support.run_history import DAY


def tokens(job: Job) -> list[int]:
    return list(Run.objects.filter(job=job).order_by("token").values_list("token", flat=True))


def claim(job: Job) -> Run:
    [run] = lifecycle.claim([claim_plan.plan_manual_run(state_of(job), database_now())], database_now())
    return run


def delete_all() -> int:
    *_before, deleted = [0, *retention.delete_runs_ended_before(database_now() + DAY)]
    return deleted
