"""With 100,000 jobs and 3,000,000 runs, a page reads as many rows as it shows, by the executed plans of PostgreSQL.

Nightly. No test measures time: ``python -m tests.benchmarks pages`` does.
"""

from __future__ import annotations

from collections import Counter

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from chroniker.insights import health_facts
from tests.support import many_rows
from tests.support.console_addresses import addresses
from tests.support.plans import is_query, rows_read

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database("postgres"), pytest.mark.nightly]

JOBS, RUNS_EACH, HOURS_EACH = 100_000, 30, 10
#: Rows that one page may read of each table.
MOST = 25_000
#: Of the jobs also one pass: PostgreSQL prefers it to more than a few hundred searches by id, for a narrow table.
PASSES = {"chroniker_job": 1}
#: Further passes: a text is searched in all names; overdue jobs and those of a large queue are ordered by their next
#: runs; the graph reads both ends of thousands of dependencies and counts the jobs.
MORE_PASSES = {
    "jobs: a text": {"chroniker_job": 2}, "jobs: no match": {"chroniker_job": 2}, "graph": {"chroniker_job": 4},
    "graph: a job": {"chroniker_job": 4}, "graph: held back": {"chroniker_job": 4},
    "jobs: overdue": {"chroniker_job": 2, "chroniker_jobstate": 1}, "jobs: queue": {"chroniker_jobstate": 1},
}  # fmt: skip


def test_a_page_reads_the_rows_that_it_shows() -> None:
    many_rows.fill(JOBS, RUNS_EACH, HOURS_EACH)
    many_rows.vary(JOBS)
    client, too_many = Client(), []
    client.force_login(User.objects.create_superuser("root"))
    for name, address in addresses().items():
        health_facts.clear_cached_health_facts()
        with CaptureQueriesContext(connection) as statements:
            assert client.get(address).status_code == 200, name
        found: Counter[str] = Counter()
        for each in list(statements):
            if is_query(each["sql"]) and " FROM " in each["sql"]:
                found += rows_read(each["sql"])
        passes = {**PASSES, **MORE_PASSES.get(name, {})}
        too_many += [
            f"{name}: {rows:,} rows of {table}"
            for table, rows in found.items()
            if rows > MOST + JOBS * passes.get(table, 0)
        ]
    assert not too_many, "\n".join(too_many)
