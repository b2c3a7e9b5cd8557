"""The tables *Starts* and *Is started by* on the page Edit."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from chroniker.eligibility import circles
from chroniker.models import Job, JobTrigger, TriggerOn
from tests.support.admin_pages import errors, open_form, url
from tests.support.factories import a_booked_job, a_dependency


def saved(client: Client, job: Job, prefix: str, *others: Job, **changes: str) -> Any:
    """Save the form of ``job`` with triggers added: ``starts`` (its targets) or ``started_by`` (its sources)."""
    form = open_form(client, job)
    other, own = ("target", "source") if prefix == "starts" else ("source", "target")
    kept = int(form[f"{prefix}-INITIAL_FORMS"])
    for number, each in enumerate(others, kept):
        form |= {f"{prefix}-{number}-{other}": str(each.pk), f"{prefix}-{number}-{own}": str(job.pk)}
        form |= {f"{prefix}-{number}-on": "FAILED"}
    form[f"{prefix}-TOTAL_FORMS"] = str(kept + len(others))
    return client.post(url(job), {**form, **changes})


def a_trigger(source: Job, target: Job) -> JobTrigger:
    return JobTrigger.objects.create(source=source, target=target)


@pytest.mark.parametrize("prefix", ["starts", "started_by"])
def test_a_trigger_can_be_added_and_removed(admin: Client, prefix: str) -> None:
    job, other = a_booked_job(), a_booked_job()
    assert saved(admin, job, prefix, other).status_code == 302
    found = JobTrigger.objects.get()
    expected = (job, other) if prefix == "starts" else (other, job)
    assert (found.source, found.target, found.on) == (*expected, TriggerOn.FAILED)
    assert saved(admin, job, prefix, **{f"{prefix}-0-DELETE": "on"}).status_code == 302
    assert not JobTrigger.objects.exists()


@pytest.mark.parametrize(("prefix", "field"), [("starts", "target"), ("started_by", "source")])
def test_a_job_cannot_start_itself(admin: Client, prefix: str, field: str) -> None:
    job = a_booked_job()
    assert errors(saved(admin, job, prefix, job))[field] == ["A job cannot start itself."]
    assert not JobTrigger.objects.exists()


@pytest.mark.parametrize(
    ("prefix", "field", "path"),
    [
        ("starts", "target", "“report” → “load” → “clean” → “report”"),
        ("started_by", "source", "“load” → “report” → “clean” → “load”"),
    ],
)
def test_a_circle_over_triggers_and_dependencies_is_refused_and_named(
    admin: Client, prefix: str, field: str, path: str
) -> None:
    load, clean, report = (a_booked_job(name=name) for name in ("load", "clean", "report"))
    a_trigger(load, clean)
    a_dependency(report, clean)
    job, other = (report, load) if prefix == "starts" else (load, report)
    found = errors(saved(admin, job, prefix, other))[field][0]
    assert found == f"This would make the jobs start each other in a circle: {path}."
    assert JobTrigger.objects.count() == 1


def test_a_dependency_that_closes_a_circle_over_a_trigger_is_found() -> None:
    load, report = a_booked_job(), a_booked_job()
    a_trigger(load, report)
    assert circles.find_dependency_cycle(load.pk, [report.pk]) == [load.pk, report.pk, load.pk]
    assert circles.find_dependency_cycle(report.pk, [load.pk]) is None


def test_who_may_only_view_jobs_changes_no_trigger(staff: Any) -> None:
    viewer = staff("view_job")
    job, other = a_booked_job(), a_booked_job()
    a_trigger(job, other)
    page = viewer.get(url(job))
    assert other.name in page.content.decode()
    assert "starts-0-DELETE" not in page.content.decode()
