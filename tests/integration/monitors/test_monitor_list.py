"""The list of monitors in the admin."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chroniker.models import Job, Run
from chroniker.scheduler.manual_runs import run_now
from tests.support.command_jobs import INLINE, a_monitor, an_inline_run_of, the_run
from tests.support.factories import a_job

pytestmark = pytest.mark.django_db(transaction=True)


LIST = "/admin/chroniker/monitor/"
RARE = "0 0 1 1 *"  # not due while a test makes many jobs


def text_of(page: Any) -> str:
    assert page.status_code == 200
    return str(page.content.decode())


def test_the_monitor_list_shows_monitors_only(admin: Client) -> None:
    a_job(name="an ordinary job")
    a_monitor(name="a watching job", monitor_description="Look after <it>.")
    assert 'href="/admin/chroniker/monitor/"' in text_of(admin.get("/admin/"))
    page = text_of(admin.get(LIST))
    assert "a watching job" in page and "an ordinary job" not in page
    assert "Look after &lt;it&gt;." in page


def test_the_monitor_list_shows_the_latest_count(admin: Client) -> None:
    monitor = a_monitor()

    def shown() -> tuple[str, str] | None:
        """Tone and number, on the page and in its refresh."""
        refreshed = admin.get(LIST, {"_live": ""}).json()["html"]["ops-list"]
        cell = re.search(r'class="field-attention_cell">(.*?)</td>', refreshed, re.DOTALL)
        assert cell is not None and cell[1] in text_of(admin.get(LIST))
        found = re.search(r'data-tone="(\w+)">.*</svg>(\d+)</span>', cell[1])
        return (found[1], found[2]) if found else None

    assert shown() is None
    an_inline_run_of(monitor)
    assert shown() == ("bad", "3")
    Job.objects.filter(pk=monitor.pk).update(args="0")
    with override_settings(CHRONIKER_EXECUTORS=INLINE):
        run_now(monitor, "a test")
        assert shown() == ("good", "0")
        Job.objects.filter(pk=monitor.pk).update(command="fails", args="")
        run_now(monitor, "a test")
    assert shown() is None, "the latest run reported no count, so an older count is not shown"


def test_the_monitor_list_links_to_the_rendered_url(admin: Client) -> None:
    a_monitor(monitor_url='/admin/auth/user/?q="><b>&date_joined__lt={% now_offset "Y" -400 %}')
    a_monitor(monitor_url="{% now_offset %}")
    a_monitor(monitor_url='{{ "javascript:alert(1)" }}')
    page = text_of(admin.get(LIST))
    year = (timezone.localtime() - dt.timedelta(days=400)).year
    assert f'href="/admin/auth/user/?q=&quot;&gt;&lt;b&gt;&amp;date_joined__lt={year}"' in page
    assert "The template is not valid" in page
    assert "begin it with https://" in page and 'href="javascript' not in page


def test_the_monitor_list_has_a_constant_number_of_queries(admin: Client) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as queries:
            admin.get(LIST)
        return len(queries)

    for _ in range(3):
        an_inline_run_of(a_monitor(cron=RARE))
    statements()
    few = statements()
    for _ in range(47):
        a_monitor(cron=RARE)
    assert statements() == few


def test_a_monitor_is_edited_on_the_job_page(admin: Client) -> None:
    page: Any = admin.get(f"{LIST}add/", follow=True)
    assert page.redirect_chain[0][0].startswith("/admin/chroniker/job/add/")
    assert 'name="is_monitor"' in text_of(page)
    form = page.context_data["adminform"].form
    assert form["is_monitor"].value() and form["command"].value() == "check_monitor"
    monitor = a_monitor()
    assert admin.get(f"{LIST}{monitor.pk}/change/")["Location"] == f"/admin/chroniker/job/{monitor.pk}/change/"


def test_an_action_runs_monitors_now(admin: Client) -> None:
    monitor = a_monitor()
    with override_settings(CHRONIKER_EXECUTORS=INLINE):
        admin.post(LIST, {"action": "check_now", "_selected_action": [str(monitor.pk)], "confirmed": "1"})
    assert the_run(monitor).attention_count == 3


@pytest.mark.parametrize(
    ("permissions", "sees", "links", "runs"),
    [
        ((), False, False, False),
        (("view_monitor",), True, False, False),
        (("view_job",), True, True, False),
        (("view_monitor", "run_job"), True, False, True),
    ],
)
def test_the_monitor_list_has_its_own_permission(
    staff: Callable[..., Client], permissions: tuple[str, ...], sees: bool, links: bool, runs: bool
) -> None:
    monitor = a_monitor(name="watching")
    client = staff(*permissions)
    page = client.get(LIST)
    assert (page.status_code == 200) == sees
    assert (f'href="/admin/chroniker/job/{monitor.pk}/change/"' in page.content.decode()) == links
    assert client.get(LIST, {"_live": ""}).status_code == (200 if sees else 403)
    with override_settings(CHRONIKER_EXECUTORS=INLINE):
        client.post(LIST, {"action": "check_now", "_selected_action": [str(monitor.pk)], "confirmed": "1"})
    assert Run.objects.exists() == runs
    assert client.get(f"{LIST}add/").status_code == 403
