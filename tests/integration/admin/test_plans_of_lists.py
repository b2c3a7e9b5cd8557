"""With 100,000 jobs and 100,000 runs, no statement of a list reads a whole table of jobs or runs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import NoReverseMatch, reverse

from chroniker.insights.job_order import JOB_ORDER_NAMES
from chroniker.models import Job
from tests.support import many_rows

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database("sqlite", "postgres")]

MANY = 100_000
#: A scan that reads fewer rows ends early, by a limit; and so does one of fewer thousands of steps in SQLite.
MAX_ROWS, MOST_STEPS = 10_000, 200
#: What reads many rows by its nature: the number of jobs beside those of the graph, and both ends of its dependencies.
WHOLE = ('SELECT COUNT(*) AS "__count" FROM "chroniker_job"', 'SELECT "chroniker_dependency"."dependent_id" AS')
#: On SQLite also the capped numbers of jobs: its plan names the scan that ends after the first row.
WHOLE_ON_SQLITE = (' AS "n_all"',)
LARGE = ("chroniker_job", "chroniker_jobstate", "chroniker_run", "chroniker_runhour")
LISTS = {
    "jobs": ("chroniker_job_changelist", ""),
    **{f"jobs by {order}": ("chroniker_job_changelist", f"?o={order}") for order in JOB_ORDER_NAMES},
    "failing jobs": ("chroniker_job_changelist", "?show=attention"),
    "runs": ("chroniker_run_changelist", ""),
    "failed runs": ("chroniker_run_changelist", "?status=FAILED"),
    "runs of a host": ("chroniker_run_changelist", "?host=worker-1"),
    "runs by hand": ("chroniker_run_changelist", "?trigger=MANUAL"),
    "runs of a job": ("chroniker_job_runs", ""),
    "schedule history": ("chroniker_job_schedule", ""),
    "messages": ("chroniker_outbox_changelist", ""),
    "monitors": ("chroniker_monitor_changelist", ""),
    "groups": ("chroniker_group_changelist", ""),
    "now": ("chroniker_job_now", ""),
    "timeline": ("chroniker_job_timeline", ""),
    "graph": ("chroniker_job_graph", ""),
    "fleet": ("chroniker_host_changelist", ""),
    "reliability": ("chroniker_run_reliability", ""),
}

OF_A_JOB = ("chroniker_job_runs", "chroniker_job_schedule")


def scans(sql: str) -> list[str]:
    """The large tables that this statement reads from beginning to end, without an index."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("EXPLAIN QUERY PLAN " + sql)
            details = [row[3] for row in cursor.fetchall()]
            found = [text for text in details if text.startswith("SCAN ") and " USING " not in text and _is_large(text)]
            return found if found and _steps(sql) > MOST_STEPS else []
        cursor.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + sql)
        plan = cursor.fetchone()[0]
        return list(_sequential(json.loads(plan) if isinstance(plan, str) else plan))


def _is_large(text: str) -> bool:
    return text.split()[1] in LARGE


def _steps(sql: str) -> int:
    """Thousands of instructions that SQLite executes. A scan that ends early, by a limit, takes few."""
    count = 0

    def step() -> int:
        nonlocal count
        count += 1
        return 0

    connection.connection.set_progress_handler(step, 1000)
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql)
            cursor.fetchall()
    finally:
        connection.connection.set_progress_handler(None, 0)
    return count


def _sequential(plan: Any) -> list[str]:
    if isinstance(plan, list):
        return [each for part in plan for each in _sequential(part)]
    found = [each for key in ("Plan", "Plans") for each in _sequential(plan.get(key, []))]
    rows = plan.get("Actual Rows", 0) + plan.get("Rows Removed by Filter", 0)
    if plan.get("Node Type") == "Seq Scan" and plan.get("Relation Name") in LARGE and rows > MAX_ROWS:
        found.append(f"Seq Scan on {plan['Relation Name']}, {rows} rows")
    return found


def test_lists_use_indexes() -> None:
    many_rows.fill(MANY)
    many_rows.vary(MANY)
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    job, found = Job.objects.order_by("pk").first(), []
    assert job is not None
    whole = (*WHOLE, *WHOLE_ON_SQLITE) if connection.vendor == "sqlite" else WHOLE
    for name, (view, query) in LISTS.items():
        try:
            address = reverse(
                f"admin:{view}", args=[job.pk] if view in ("chroniker_job_runs", "chroniker_job_schedule") else []
            )
        except NoReverseMatch:
            continue
        with CaptureQueriesContext(connection) as queries:
            assert client.get(address + query).status_code == 200, name
        for each in list(queries):
            sql = each["sql"]
            if any(text in sql for text in whole):
                continue
            if sql.lstrip("( ").upper().startswith(("SELECT", "WITH")) and (tables := scans(sql)):
                found.append(f"{name}: {tables} {sql[:3000]}")
    assert not found, "\n\n".join(found)
