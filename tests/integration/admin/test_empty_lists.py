"""A list without rows explains what it lists, and how to add rows."""

from __future__ import annotations

import pytest
from django.test import Client

from chroniker.insights import health_facts
from tests.support.factories import a_booked_job

LISTS = {
    "job": "Add one, declare jobs in code",
    "run": "when someone starts the job by hand",
    "monitor": "select “is a monitor”",
    "group": "limits how many of its jobs run at once",
    "calendar": "skips scheduled times",
    "host": "after its first tick",
    "outbox": "Emails and webhooks",
}


@pytest.mark.parametrize("name", LISTS)
def test_an_empty_list_shows_how_to_add_rows(admin: Client, name: str) -> None:
    health_facts.clear_cached_health_facts()
    assert LISTS[name] in admin.get(f"/admin/chroniker/{name}/").content.decode()


@pytest.mark.parametrize("query", ["q=nothing", "show=running"])
def test_a_search_that_finds_nothing_offers_all(admin: Client, query: str) -> None:
    a_booked_job()
    shown = admin.get(f"/admin/chroniker/job/?{query}").content.decode()
    assert "No job matches." in shown and 'href="/admin/chroniker/job/">Show all' in shown
    assert LISTS["job"] not in shown and LISTS["job"] not in admin.get("/admin/chroniker/job/").content.decode()
