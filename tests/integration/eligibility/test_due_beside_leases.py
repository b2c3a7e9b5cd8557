"""The search for due jobs does not compare each of them with each open run, whatever the statistics say of leases."""

from __future__ import annotations

import json

import pytest
from django.db import connection

from chroniker.clock.database_clock import database_now
from chroniker.eligibility import due
from chroniker.eligibility.claim_kinds import SCHEDULED
from chroniker.models import Lease
from chroniker.scheduler.tick import tick
from tests.support.factories import a_due_job
from tests.support.plans import nodes

pytestmark = [pytest.mark.django_db, pytest.mark.database("postgres")]

JOBS = 40


def test_each_due_job_is_looked_up_among_the_open_runs() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE chroniker_lease")  # empty
    for _each in range(JOBS):
        a_due_job()
    assert len(tick().claimed) == Lease.objects.count() == JOBS
    waiting = {a_due_job().pk for _each in range(JOBS)}
    rows = due._due_rows(SCHEDULED, JOBS, database_now())
    plan = list(nodes(json.loads(rows.explain(analyze=True, format="json"))))
    assert any(node.get("Relation Name") == "chroniker_lease" for node in plan)
    assert sum(node.get("Rows Removed by Join Filter", 0) for node in plan) <= JOBS, plan
    assert {row[0] for row in rows} == waiting
