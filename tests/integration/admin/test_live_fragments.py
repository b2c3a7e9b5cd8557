"""The refresh of each page: every fragment has its place in the page."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from chroniker import lifecycle
from chroniker.insights import health_facts
from chroniker.models import LogChunk, Run
from chroniker.scheduler.manual_runs import run_now
from tests.integration.admin.sample_pages import one_of_each
from tests.support.factories import a_booked_job, started

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("dummy")]

PAGES = (
    "job_now",
    "job_changelist",
    "run_changelist",
    "job_timeline",
    "job_graph",
    "host_changelist",
    "run_reliability",
)
OF_A_JOB = ("job_status", "job_schedule", "job_runs")


def addresses() -> list[str]:
    rows = one_of_each()
    job, run = rows["job"].pk, rows["run"].pk
    return [
        *(reverse(f"admin:chroniker_{view}") for view in PAGES),
        *(reverse(f"admin:chroniker_{view}", args=[job]) for view in OF_A_JOB),
        reverse("admin:chroniker_run_change", args=[run]),
    ]


def test_every_page_is_refreshed_and_shows_what_the_refresh_sends(admin_client: Client) -> None:
    for address in addresses():
        page = admin_client.get(address).content.decode()
        assert "data-live-url=" in page, address
        fragments = admin_client.get(address, {"_live": ""}).json()["html"]
        missing = [key for key in fragments if f'id="{key}"' not in page]
        assert not missing, f"{address}: {missing}"


def test_the_refresh_of_the_timeline_and_of_a_schedule_history_shows_a_new_run(admin_client: Client) -> None:
    job = a_booked_job(name="settle", cron="0 0 1 1 *")
    timeline = reverse("admin:chroniker_job_timeline") + "?by=job"
    history = reverse("admin:chroniker_job_schedule", args=[job.pk])
    health_facts.clear_cached_health_facts()
    before = admin_client.get(history, {"_live": ""}).json()
    assert "Running" not in before["html"]["job-state"]
    again = admin_client.get(history, {"_live": before["etag"]})
    if again.status_code != 304:  # a minute has begun, and the mark of the present has moved
        before = again.json()
        assert admin_client.get(history, {"_live": before["etag"]}).status_code == 304
    started(run_now(job, requested_by="a test"))
    assert "Running" in admin_client.get(history, {"_live": before["etag"]}).json()["html"]["job-state"]
    shown = admin_client.get(timeline + "&_live=").json()["html"]
    assert "settle" in shown["timeline-picture"] and "settle" in shown["timeline-table"]


def a_running_run() -> Run:
    run = run_now(a_booked_job(), requested_by="a test")
    lifecycle.renew(run.pk, run.token, started(run), None)
    return Run.objects.get(pk=run.pk)


def test_the_refresh_of_a_run_has_the_lines_behind_a_place(admin_client: Client) -> None:
    run = a_running_run()
    page = reverse("admin:chroniker_run_change", args=[run.pk])
    output = reverse("admin:chroniker_run_output", args=[run.pk])
    place = admin_client.get(output, {"at": "end"}).json()["after"]
    first = admin_client.get(page, {"_live": "", "_after": place}).json()
    assert "output" not in first and first["seconds"] == 1
    LogChunk.objects.create(run=run, stream=1, seq=0, text="one line\n", written_at=run.claimed_at)
    answer = admin_client.get(page, {"_live": first["etag"], "_after": place}).json()
    assert "one line" in answer["output"]["html"] and answer["output"]["open"] is True
    assert admin_client.get(page, {"_live": "", "_after": "x"}).status_code == 400
    assert "output" not in admin_client.get(page, {"_live": ""}).json()
