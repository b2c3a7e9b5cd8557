"""The statements of each page, besides those of the health, which are cached, and of Django's login."""

from __future__ import annotations

import math

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.insights import health_facts
from chroniker.models import Job
from chroniker.scheduler.manual_runs import run_now
from tests.integration.admin.sample_pages import one_of_each
from tests.support.factories import a_booked_job, a_dependency, a_due_job, started

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("dummy")]

#: The reasons are in the decision "Statement budgets of pages", and in "A trigger inserts an activation".
#: One of them is the pause, which every page reads.
BUDGETS = {
    "job_now": 15, "job_changelist": 14, "run_changelist": 3, "job_timeline": 7, "job_graph": 6, "host_changelist": 5,
    "run_reliability": 7, "job_status": 14, "job_schedule": 8, "job_runs": 6, "run_change": 6, "run_output": 2,
}  # fmt: skip
OF_A_JOB, OF_A_RUN = ("job_status", "job_schedule", "job_runs"), ("run_change", "run_output")


def work(name: str, count: int) -> None:
    """Jobs in every state that a page explains."""
    for number in range(count):
        running, waiting = a_booked_job(name=f"{name} {number}"), a_due_job(name=f"{name} waits {number}", minutes=10)
        started(run_now(running, requested_by="a test"))
        run_now(a_booked_job(name=f"{name} queued {number}"), requested_by="a test")
        a_dependency(waiting, running, wait_for_completion=True)
        a_due_job(name=f"{name} late {number}", minutes=10)


def statements(client: Client, address: str) -> list[str]:
    health_facts.clear_cached_health_facts()
    client.get(address)
    with CaptureQueriesContext(connection) as queries:
        assert client.get(address).status_code == 200, address
    found = [each["sql"] for each in queries]
    return [sql for sql in found if "chroniker_" in sql and "django_content_type" not in sql]


def test_no_page_takes_more_statements_than_its_budget_however_much_there_is(
    admin_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health_facts, "CACHED_SECONDS", math.inf)  # from one request to the next on a slow machine
    rows = one_of_each()
    # No scheduled time comes during the test: one that did not succeed takes a statement more (its backfills).
    Job.objects.filter(pk=rows["job"].pk).update(cron="0 0 1 1 *", edited_at=database_now())
    lifecycle.book_next_instants([rows["job"].pk], database_now())
    ids = {**dict.fromkeys(OF_A_JOB, rows["job"].pk), **dict.fromkeys(OF_A_RUN, rows["run"].pk)}
    found = {}
    for count in (2, 5):
        work(f"work {count}", count)
        for view in BUDGETS:
            address = reverse(f"admin:chroniker_{view}", args=[ids[view]] if view in ids else [])
            found[view, count] = len(statements(admin_client, address))
    over = {key: number for key, number in found.items() if number > BUDGETS[key[0]]}
    assert not over, found
    assert {view: found[view, 5] for view in BUDGETS} == {view: found[view, 2] for view in BUDGETS}
