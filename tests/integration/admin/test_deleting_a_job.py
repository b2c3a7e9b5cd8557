from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.messages import get_messages
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from chroniker import lifecycle
from chroniker.admin import deletion
from chroniker.models import Job, LogChunk, Run, Status
from chroniker.tick import run_now
from tests.factories import a_booked_job, a_dependency, started


def delete_url(job: Job) -> str:
    return reverse("admin:chroniker_job_delete", args=[job.pk])


def with_runs(count: int) -> Job:
    job = a_booked_job()
    for _ in range(count):
        run = run_now(job, by="a test")
        LogChunk.objects.create(run=run, stream=1, seq=0, text="x", written_at=run.claimed_at)
        lifecycle.finish(run.pk, run.token, started(run), Status.SUCCEEDED)
    return job


def test_a_job_goes_with_its_runs_and_their_output(admin: Client) -> None:
    job = with_runs(3)
    assert admin.post(delete_url(job), {"post": "yes"}).status_code == 302
    assert not Job.objects.exists() and not Run.objects.exists() and not LogChunk.objects.exists()
    assert LogEntry.objects.get().is_deletion()


def test_the_question_names_the_consequences_and_loads_none_of_them(admin: Client) -> None:
    job, dependent = with_runs(3), a_booked_job(name="report")
    a_dependency(dependent, job)
    with CaptureQueriesContext(connection) as few:
        html = admin.get(delete_url(job)).content.decode()
    assert "with 3 runs and their output" in html
    assert f"“report” would no longer wait for “{job.name}”" in html
    more = with_runs(12)
    with CaptureQueriesContext(connection) as many:
        admin.get(delete_url(more))
    assert len(many) <= len(few)


def test_a_job_with_an_open_run_stays(admin: Client) -> None:
    job = a_booked_job()
    run_now(job, by="a test")
    assert "stop it first" in admin.get(delete_url(job)).content.decode()
    admin.post(delete_url(job), {"post": "yes"})
    chosen = {"action": "delete_selected", "_selected_action": [str(job.pk)], "post": "yes"}
    admin.post("/admin/chroniker/job/", chosen)
    assert Job.objects.filter(pk=job.pk).exists()
    assert not LogEntry.objects.exists()


@pytest.mark.parametrize("bulk", [False, True])
def test_a_run_that_is_claimed_after_the_question_was_asked_keeps_its_job(
    admin: Client, monkeypatch: pytest.MonkeyPatch, bulk: bool
) -> None:
    job, other = a_booked_job(name="backup"), a_booked_job()
    run_now(job, by="a test")
    monkeypatch.setattr(deletion, "consequences", lambda jobs: ([], {}, []))  # as it was a moment earlier
    if bulk:
        chosen: dict[str, Any] = {"action": "delete_selected", "_selected_action": [str(job.pk), str(other.pk)]}
        response = admin.post("/admin/chroniker/job/", {**chosen, "post": "yes"})
    else:
        response = admin.post(delete_url(job), {"post": "yes"})
    said = [str(message) for message in get_messages(response.wsgi_request)]
    assert len(said) == 1 and "Nothing was deleted" in said[0] and "“backup”" in said[0]
    assert Job.objects.count() == 2
    assert not LogEntry.objects.exists()
