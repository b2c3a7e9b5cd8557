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
#: Rows of all tables that one page may read.
MOST = 20_000
#: What reads more by its nature, once each: a text is searched in all names; a fifth of all jobs is ordered by their
#: next runs; the jobs of groups and of dependencies are counted.
MORE = {
    "jobs: a text": JOBS, "jobs: no match": JOBS, "runs: a text": JOBS, "runs: no match": JOBS,
    "jobs: queue": 2 * JOBS, "groups": JOBS + MOST, "graph": 5 * JOBS, "graph: a job": 5 * JOBS,
    "graph: held back": 5 * JOBS, "timeline": MOST, "timeline: 7 days": MOST, "timeline: 6 hours": MOST,
}  # fmt: skip


def test_a_page_reads_the_rows_that_it_shows() -> None:
    many_rows.fill(JOBS, RUNS_EACH, HOURS_EACH)
    many_rows.vary(JOBS)
    client, too_many = Client(), []
    client.force_login(User.objects.create_superuser("root"))
    for name, address in addresses().items():
        health_facts.forget()
        with CaptureQueriesContext(connection) as statements:
            assert client.get(address).status_code == 200, name
        found: Counter[str] = Counter()
        for each in list(statements):
            if is_query(each["sql"]) and " FROM " in each["sql"]:
                found += rows_read(each["sql"])
        if found.total() > MOST + MORE.get(name, 0):
            too_many.append(f"{name}: {dict(found)}")
    assert not too_many, "\n".join(too_many)
