"""Dependencies in the admin: cycles are refused and named; the page shows why a job waits."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from django.test import Client
from django.urls import reverse

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.eligibility import dependencies, due
from chroniker.lifecycle import Outcome
from chroniker.models import EVERY_HOST, Activation, Job, JobDependency, JobState, Lease, Run, Status
from chroniker.scheduler.manual_runs import run_now
from tests.support.admin_pages import errors, open_form, url
from tests.support.factories import a_booked_job, a_dependency, a_due_job, started

pytestmark = pytest.mark.django_db
FAR = "0 0 1 1 *"


def page(client: Client, job: Job) -> str:
    """The page Status."""
    return client.get(reverse("admin:chroniker_job_status", args=[job.pk])).content.decode()


def waits(job: Job) -> list[str]:
    """Why its dependencies block it."""
    return [wait.text for wait in dependencies.read_reasons_to_wait([job.pk]).get(job.pk, [])]


def succeed(job: Job) -> None:
    run = run_now(job, requested_by="a test")
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
    assert re.search(r'<a href="[^"]*">load</a> <span class="quiet">until it has ended, until it succeeded', html)
    assert waits(report) == ["waits for “load” to succeed"]


def test_the_reason_follows_the_state_of_the_dependee() -> None:
    load, report = a_booked_job(name="load", cron=FAR), a_due_job(name="report")
    a_dependency(report, load, wait_for_completion=True)
    assert waits(report) == []
    run = run_now(load, requested_by="a test")
    nonce = started(run)
    assert waits(report) == ["waits for “load” to end"]
    lifecycle.finish(run.pk, run.token, nonce, Outcome(Status.SUCCEEDED))
    assert waits(report) == []


def test_a_job_does_not_wait_for_the_lease_of_a_host_whose_run_on_every_host_has_ended() -> None:
    load, report = a_booked_job(name="load", cron=FAR, hostname=EVERY_HOST), a_due_job(name="report")
    a_dependency(report, load, wait_for_completion=True, wait_for_success=True)
    now = database_now()
    child = Run.objects.create(
        job=load, token=1, slot="7", status=Status.FAILED, claimed_at=now, started_at=now, finished_at=now
    )
    Lease.objects.create(run=child, job=load, slot="7", token=1, expires_at=now)
    assert waits(report) == ["waits for “load” to succeed"]


def test_a_job_waits_for_the_next_run_of_its_dependee() -> None:
    load, report = a_due_job(name="load"), a_due_job(name="report")
    a_dependency(report, load, wait_for_next_run=True)
    assert waits(report) == ["waits for “load” to run for its due scheduled times"]


def test_the_page_lists_the_dependents_of_a_job_with_links(admin: Client) -> None:
    load = a_booked_job(name="load")
    names = ["a report", "b report"]
    for name in names:
        a_dependency(a_booked_job(name=name), load, wait_for_success=True)
    html = page(admin, load)
    after = html[html.index("Jobs that wait for this one") :]
    for job in Job.objects.filter(name__in=names):
        assert re.search(
            rf'<a href="[^"]*/{job.pk}/[^"]*">{job.name}</a> <span class="quiet">until it succeeded', after
        )
    assert "Waits for</h3>" not in html
    assert "Jobs that wait for this one" not in page(admin, Job.objects.get(name="a report"))


def test_a_page_lists_a_limited_number_of_dependents(admin: Client) -> None:
    load = a_booked_job(name="load")
    for _ in range(51):
        a_dependency(a_booked_job(cron=FAR), load, wait_for_success=True)
    html = page(admin, load)
    assert html[html.index("Jobs that wait for this one") :].count("until it succeeded") == 50
    assert "and more</a>" in html


def test_a_job_waits_for_the_scheduled_times_of_another_and_nothing_else() -> None:
    """Only such a wait ends by itself as time passes."""
    early, late, other = a_due_job(minutes=3), a_due_job(minutes=1), a_due_job(minutes=1)
    for dependent in (late, other):
        a_dependency(dependent, early, wait_for_next_run=True)
    [wait] = dependencies.read_reasons_to_wait([late.pk])[late.pk]
    assert wait.blocks_scheduled_runs_only
    assert f"waits for “{early.name}” to run for its due scheduled times" in str(wait.text)
    assert dependencies.read_first_pending_dependee_instants([late.pk], database_now()).keys() == {late.pk}


def test_the_dependencies_that_block_a_start_of_any_kind_are_found() -> None:
    load, now = a_booked_job(name="load", cron=FAR), database_now()
    due_job, forced, retried, activated, backfilled = late = [a_due_job(), *(a_booked_job(cron=FAR) for _ in "1234")]
    Job.objects.filter(pk=forced.pk).update(force_run=True)
    JobState.objects.filter(pk=retried.pk).update(retry_at=now)
    Activation.objects.create(target=activated, instant=now, made_at=now)
    JobState.objects.filter(pk=backfilled.pk).update(backfill_at=now)
    running, disabled, not_due = a_due_job(), a_due_job(), a_booked_job(cron=FAR)
    Job.objects.filter(pk=disabled.pk).update(enabled=False)
    run_now(running, requested_by="a test")
    for job in (*late, running, disabled, not_due):
        a_dependency(job, load, wait_for_success=True)
    a_dependency(due_job, forced)
    assert due.find_blocking_dependencies(now, 10) == {(job.pk, load.pk) for job in late}
    assert len(due.find_blocking_dependencies(now, 3)) == 3
    next_year = due.find_blocking_dependencies(now + dt.timedelta(days=366), 10)
    assert next_year == {(job.pk, load.pk) for job in (*late, not_due)}
