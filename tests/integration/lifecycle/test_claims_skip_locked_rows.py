"""A tick waits for no row that another transaction has locked: it claims the other jobs."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import QuerySet

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.eligibility import due
from chroniker.eligibility.claim_kinds import FORCED
from chroniker.lifecycle import claim_plan
from chroniker.models import Group, Job, JobState, Run
from tests.support.factories import a_booked_job

LOCKED: dict[str, Callable[[Any], QuerySet[Any]]] = {
    "group": lambda job: Group.objects.filter(pk=job.group_id),
    "state": lambda job: JobState.objects.filter(pk=job.pk),
    "job": lambda job: Job.objects.filter(pk=job.pk),
}


@pytest.mark.database("postgres", "mariadb")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("row", LOCKED)
def test_a_job_with_a_locked_row_is_left_for_the_next_tick(row: str) -> None:
    job, other = [
        a_booked_job(cron="0 3 1 1 *", force_run=True, group=Group.objects.create(name=name, limit=1)) for name in "ab"
    ]
    now = database_now()
    plans = [claim_plan.make_claim_plan(FORCED, state, now) for state in due.find_due_jobs(FORCED, now)]

    def claim() -> list[Run]:
        with closing(connection):
            return lifecycle.claim(plans, now)

    with ThreadPoolExecutor(1) as claiming, transaction.atomic():
        list(LOCKED[row](job).select_for_update())
        assert [run.job_id for run in claiming.submit(claim).result(timeout=60)] == [other.pk]
    assert [run.job_id for run in lifecycle.claim(plans, now)] == [job.pk]
