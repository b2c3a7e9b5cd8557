"""Dependencies in the admin: cycles are refused and named; the page shows why a job waits."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from chroniker import lifecycle
from chroniker.lifecycle import Outcome
from chroniker.models import Job, JobDependency, Status
from chroniker.scheduler.manual_runs import run_now
from tests.support.admin_pages import errors, open_form, url
from tests.support.factories import a_booked_job, a_dependency, a_due_job, started

pytestmark = pytest.mark.django_db
FAR = "0 0 1 1 *"


def page(client: Client, job: Job) -> str:
    return client.get(url(job)).content.decode()


def waits(client: Client, job: Job) -> str:
    """The reason below the list of dependencies. The live refresh must return the same text."""
    found = re.search(r'data-cell="job-\d+-waits".*?<span data-part="text">(.*?)</span>', page(client, job), re.DOTALL)
    assert found
    answer: Any = client.get(reverse("admin:chroniker_job_live"), {"ids": str(job.pk), "runs": "1"}).json()
    assert answer["cells"][f"job-{job.pk}-waits"]["text"] == found[1]
    return found[1]


def succeed(job: Job) -> None:
    run = run_now(job, by="a test")
    lifecycle.finish(run.pk, run.token, started(run), Outcome(Status.SUCCEEDED))


def test_the_form_refuses_a_dependency_cycle_and_names_it(admin: Client) -> None:
    load, clean, report = (a_booked_job(name=name) for name in ("load", "clean", "report"))
    a_dependency(clean, load)
    a_dependency(report, clean)
    form = open_form(admin, load) | {
        "dependencies-TOTAL_FORMS": "1", "dependencies-0-dependee": str(report.pk),
        "dependencies-0-dependent": str(load.pk), "dependencies-0-wait_for_success": "on",
    }  # fmt: skip
    error = errors(admin.post(url(load), form))["dependee"][0]
    assert "“load” → “report” → “clean” → “load”" in error
    assert JobDependency.objects.count() == 2


def test_the_page_shows_the_dependencies_of_a_job_and_why_it_waits(admin: Client) -> None:
    load, report = a_booked_job(name="load", cron=FAR), a_due_job(name="report")
    a_dependency(report, load, wait_for_completion=True, wait_for_success=True)
    html = page(admin, report)
    assert f'<a href="{url(load)}">load</a> until it has ended, until it succeeded' in html
    assert "It is due, but waits for “load” to succeed." in html
    assert waits(admin, report) == "Blocked: it waits for “load” to succeed."


def test_the_reason_follows_the_state_of_the_dependee(admin: Client) -> None:
    load, report = a_booked_job(name="load", cron=FAR), a_due_job(name="report")
    a_dependency(report, load, wait_for_completion=True)
    assert waits(admin, report) == "No dependency is blocking it."
    run = run_now(load, by="a test")
    nonce = started(run)
    assert waits(admin, report) == "Blocked: it waits for “load” to end."
    lifecycle.finish(run.pk, run.token, nonce, Outcome(Status.SUCCEEDED))
    assert waits(admin, report) == "No dependency is blocking it."


def test_a_job_waits_for_the_next_run_of_its_dependee(admin: Client) -> None:
    load, report = a_due_job(name="load"), a_due_job(name="report")
    a_dependency(report, load, wait_for_next_run=True)
    assert waits(admin, report) == "Blocked: it waits for the scheduled times of “load”."


def test_the_page_lists_the_dependents_of_a_job_with_links(admin: Client) -> None:
    load = a_booked_job(name="load")
    names = ["a report", "b report"]
    for name in names:
        a_dependency(a_booked_job(name=name), load, wait_for_success=True)
    html = page(admin, load)
    after = html[html.index("Jobs that wait for it") :]
    for job in Job.objects.filter(name__in=names):
        assert f'<a href="{url(job)}">{job.name}</a> until it succeeded' in after
    assert "Waits for</h3>" not in html
    assert "Jobs that wait for it" not in page(admin, Job.objects.get(name="a report"))


def test_a_page_lists_a_limited_number_of_dependents(admin: Client) -> None:
    load = a_booked_job(name="load")
    for _ in range(51):
        a_dependency(a_booked_job(cron=FAR), load, wait_for_success=True)
    html = page(admin, load)
    assert html[html.index("Jobs that wait for it") :].count("until it succeeded") == 50
    assert "and more</a>" in html
