"""No search for due jobs compares each of them with each open run, whatever the statistics say of leases.

PostgreSQL may do so only where it joins the two. It decides about that before it looks at any statistics.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest
from django.db import connection

from chroniker.clock.database_clock import database_now
from chroniker.eligibility import due
from chroniker.eligibility.claim_kinds import SCHEDULED
from chroniker.models import Group, JobDependency, Overlap
from chroniker.scheduler.pending_work_queries import queries_for_pending_work
from chroniker.scheduler.tick import tick
from tests.support.factories import a_due_job
from tests.support.plans import nodes

pytestmark = [pytest.mark.django_db, pytest.mark.database("postgres")]

JOBS = 40
SEARCHES: dict[str, Callable[[], Any]] = {
    "due jobs": lambda: list(due._due_rows(SCHEDULED, JOBS, database_now())),
    "groups with due jobs": lambda: list(due._rows_of_urgent_groups(database_now())),
    "due jobs that wait for others": lambda: due.find_blocking_dependencies(database_now(), JOBS),
    "overlapped times": lambda: list(queries_for_pending_work(database_now())["overlapped"][0]),
}


@pytest.mark.parametrize("search", SEARCHES)
def test_each_due_job_is_looked_up_among_the_open_runs(search: str) -> None:
    a_due_job()
    assert len(tick().claimed) == 1
    group = Group.objects.create(name="narrow", limit=JOBS)
    first, other = [a_due_job(group=group, overlap=Overlap.SKIP) for _each in range(2)]
    JobDependency.objects.create(dependent=other, dependee=first)
    plan = explained(SEARCHES[search])
    assert "chroniker_lease" in tables(nodes(plan))
    assert "chroniker_lease" not in tables(nodes(plan, subplans=False))


def test_due_jobs_beside_open_runs_are_found() -> None:
    for _each in range(3):
        a_due_job()
    tick()
    waiting = {a_due_job().pk for _each in range(3)}
    assert {row[0] for row in due._due_rows(SCHEDULED, JOBS, database_now())} == waiting


def tables(found: Iterable[Mapping[str, Any]]) -> set[str]:
    return {str(node.get("Relation Name")) for node in found}


def explained(search: Callable[[], Any]) -> Any:
    """The plan of the last statement that the search executes."""
    statements: list[tuple[str, Any]] = []

    def record(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        statements.append((sql, params))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(record):
        search()
    sql, params = statements[-1]
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", params)
        [(plan,)] = cursor.fetchall()
    return plan if isinstance(plan, list) else json.loads(plan)
