"""Hosts on the pages of jobs and runs: the required host of a job, and the run of each host."""

from __future__ import annotations

import html

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from chroniker import lifecycle
from chroniker.eligibility import hosts
from chroniker.lifecycle import Outcome
from chroniker.models import EVERY_HOST, Job, Run, Status
from chroniker.reasons import Reason
from chroniker.scheduler.manual_runs import run_now
from tests.support.admin_pages import errors, open_form, url
from tests.support.factories import a_booked_job, a_job, started


def page_of(client: Client, run: Run) -> str:
    return html.unescape(client.get(reverse("admin:chroniker_run_change", args=[run.pk])).content.decode())


def a_parent_with_children(*names: str) -> tuple[Run, list[Run]]:
    for name in names:
        hosts.record_heartbeat(["default"], host_name=name)
    parent = run_now(a_booked_job(hostname=EVERY_HOST, cron="0 0 1 1 *"), requested_by="a test")
    return parent, list(parent.children.select_related("job").order_by("required_host"))


def end(run: Run, status: Status, reason: str = "") -> None:
    lifecycle.finish(
        run.pk, run.token, started(run, host=run.required_host), Outcome(status, reason=Reason(text=reason))
    )


def test_the_page_of_a_parent_lists_its_hosts_and_a_child_links_its_parent(admin: Client) -> None:
    parent, (first, second) = a_parent_with_children("web1", "web2")
    end(first, Status.FAILED, "exit status 3")
    shown = page_of(admin, parent)
    for child in (first, second):
        assert f'href="{reverse("admin:chroniker_run_change", args=[child.pk])}">{child.required_host}</a>' in shown
    assert "Exit status 3" in shown and "every live host" in shown
    back = page_of(admin, first)
    assert reverse("admin:chroniker_run_change", args=[parent.pk]) in back
    assert f"run {parent.token} on every host" in back


def test_the_refresh_has_the_state_of_each_host(admin: Client) -> None:
    parent, (first, second) = a_parent_with_children("web1", "web2")
    end(first, Status.SUCCEEDED)
    address = reverse("admin:chroniker_run_change", args=[parent.pk])
    shown: dict[str, str] = admin.get(address, {"_live": ""}).json()["html"]
    rows = shown["run-hosts"].split("<tr data-row")
    assert f'data-key="{first.pk}"' in rows[1] and "Succeeded" in rows[1]
    assert f'data-key="{second.pk}"' in rows[2] and "Queued" in rows[2]
    assert "1 of 2 hosts" in shown["run-progress"]


def test_the_table_of_hosts_costs_the_same_statements_for_any_number(admin: Client) -> None:
    def statements(*names: str) -> int:
        parent, _children = a_parent_with_children(*names)
        page_of(admin, parent)
        with CaptureQueriesContext(connection) as queries:
            page_of(admin, parent)
        return len(queries)

    assert statements("web1", "web2") == statements(*(f"web{number}" for number in range(20)))


def test_the_form_suggests_every_host_and_recent_hosts_and_accepts_others(admin: Client) -> None:
    hosts.record_heartbeat(host_name="web1")
    job = a_job()
    page = admin.get(url(job)).content.decode()
    assert '<option value="*">' in page and '<option value="web1">' in page
    admin.post(url(job), {**open_form(admin, job), "hostname": "web7"})
    assert Job.objects.get(pk=job.pk).hostname == "web7"
    refused = admin.post(url(job), {**open_form(admin, job), "hostname": "web*"})
    assert "is not a host name" in errors(refused)["hostname"][0]


def test_stop_on_the_job_s_page_stops_the_run_on_every_host(admin: Client) -> None:
    parent, children = a_parent_with_children("web1", "web2")
    started(children[0], host="web1")
    admin.post(reverse("admin:chroniker_job_stop", args=[parent.job_id]))
    assert Run.objects.filter(job=parent.job_id, stop_requested_by="root").count() == 3
    assert Run.objects.get(pk=children[1].pk).status == Status.STOPPED
