from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.messages import get_messages
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from chroniker import lifecycle
from chroniker.admin.jobs import deletion
from chroniker.clock.database_clock import database_now
from chroniker.lifecycle import Outcome
from chroniker.models import Job, Lease, LogChunk, Run, Status
from chroniker.scheduler import job_deletion, retention
from chroniker.scheduler.manual_runs import run_now
from chroniker.scheduler.tick import tick
from tests.support.admin_pages import open_form, url
from tests.support.factories import a_booked_job, a_dependency, started


def delete_url(job: Job) -> str:
    return reverse("admin:chroniker_job_delete", args=[job.pk])


def with_runs(count: int) -> Job:
    job = a_booked_job()
    for _ in range(count):
        run = run_now(job, requested_by="a test")
        LogChunk.objects.create(run=run, stream=1, seq=0, text="x", written_at=run.claimed_at)
        lifecycle.finish(run.pk, run.token, started(run), Outcome(Status.SUCCEEDED))
    return job


def test_a_job_is_deleted_with_its_runs_and_their_output(admin: Client) -> None:
    job = with_runs(3)
    assert admin.post(delete_url(job), {"post": "yes"}).status_code == 302
    assert not Job.objects.exists() and not Run.objects.exists() and not LogChunk.objects.exists()
    assert LogEntry.objects.get().is_deletion()


def test_the_confirmation_counts_related_rows_without_loading_them(admin: Client) -> None:
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


@pytest.mark.parametrize("bulk", [False, True])
def test_a_job_with_an_open_run_is_stopped_and_deleted_after_its_end(admin: Client, bulk: bool) -> None:
    job, idle = a_booked_job(name="backup"), a_booked_job()
    run = run_now(job, requested_by="a test")
    nonce = started(run)
    question = admin.get(delete_url(job)).content.decode()
    assert "“backup” has an open run: the job will be disabled, the run stopped" in question
    messages = delete(admin, [job, idle]) if bulk else delete_one(admin, job)
    assert (
        messages[-1] == "“backup” was disabled and its run is being stopped. The job will be deleted when the run ends."
    )
    assert Job.objects.filter(pk=idle.pk).exists() is not bulk
    run.refresh_from_db()
    assert (run.status, run.stop_requested_by) == (Status.RUNNING, "root")
    for page in (reverse("admin:chroniker_job_change", args=[job.pk]), "/admin/chroniker/job/"):
        assert "ill be deleted when its run ends" in admin.get(page).content.decode()
    tick()
    assert Job.objects.filter(pk=job.pk, enabled=False).exists()
    lifecycle.finish(run.pk, run.token, nonce, Outcome(Status.STOPPED))
    tick()
    assert not Job.objects.filter(pk=job.pk).exists() and not Run.objects.filter(pk=run.pk).exists()


def test_a_queued_run_is_cancelled_and_its_job_is_deleted_at_once(admin: Client) -> None:
    job = a_booked_job(name="backup")
    run_now(job, requested_by="a test")
    assert delete_one(admin, job) == ["The job “backup” was deleted successfully."]
    assert not Job.objects.exists() and not Run.objects.exists() and not Lease.objects.exists()


def test_the_log_tells_a_deletion_from_a_request(admin: Client) -> None:
    job, idle = a_booked_job(), a_booked_job()
    started(run_now(job, requested_by="a test"))
    delete(admin, [job, idle])
    assert LogEntry.objects.get(object_id=str(idle.pk)).is_deletion()
    entry = LogEntry.objects.get(object_id=str(job.pk))
    assert entry.is_change() and "will be deleted when its run ends" in entry.get_change_message()


@pytest.mark.parametrize("by_form", [False, True])
def test_enabling_the_job_cancels_its_deletion(admin: Client, by_form: bool) -> None:
    job = a_booked_job()
    run = run_now(job, requested_by="a test")
    nonce = started(run)
    delete_one(admin, job)
    if by_form:
        job.refresh_from_db()
        assert admin.post(url(job), {**open_form(admin, job), "enabled": "on"}).status_code == 302
    else:
        chosen = {"action": "enable", "_selected_action": [str(job.pk)]}
        assert admin.post("/admin/chroniker/job/", chosen).status_code == 302
    lifecycle.finish(run.pk, run.token, nonce, Outcome(Status.STOPPED))
    Job.objects.filter(pk=job.pk).update(enabled=False)  # later, for another reason
    tick()
    assert Job.objects.get().deletion_requested_at is None


def test_the_job_is_deleted_also_when_its_run_is_lost(admin: Client) -> None:
    job = a_booked_job(retry_on_lost=True)
    started(run_now(job, requested_by="a test"))
    delete_one(admin, job)
    Lease.objects.update(expires_at=database_now() - dt.timedelta(days=1))
    tick()
    assert not Job.objects.exists()


def test_a_long_history_is_deleted_in_batches(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    job = with_runs(5)
    run = run_now(job, requested_by="a test")
    nonce = started(run)
    delete_one(admin, job)
    lifecycle.finish(run.pk, run.token, nonce, Outcome(Status.STOPPED))
    monkeypatch.setattr(retention, "RUNS_PER_SEARCH", 2)
    monkeypatch.setattr(retention, "TIME_LIMIT_PER_PASS", dt.timedelta(0))
    assert job_deletion.delete_marked_jobs() == 0 and Job.objects.exists()  # no time: left for a later pass
    monkeypatch.setattr(retention, "TIME_LIMIT_PER_PASS", dt.timedelta(minutes=5))
    assert job_deletion.delete_marked_jobs() == 1
    assert not Job.objects.exists() and not LogChunk.objects.exists()


@pytest.mark.parametrize("bulk", [False, True])
def test_a_run_that_is_claimed_during_the_confirmation_is_stopped(
    admin: Client, monkeypatch: pytest.MonkeyPatch, bulk: bool
) -> None:
    job = a_booked_job(name="backup")
    started(run_now(job, requested_by="a test"))
    monkeypatch.setattr(
        deletion, "fetch_deletion_consequences", lambda jobs: ([], {}, [])
    )  # as it was a moment earlier
    messages = delete(admin, [job]) if bulk else delete_one(admin, job)
    assert len(messages) == 1 and "will be deleted when the run ends" in messages[0]
    assert Job.objects.get().enabled is False


def delete_one(client: Client, job: Job) -> list[str]:
    """Delete through the confirmation page. Returns the messages."""
    response = client.post(delete_url(job), {"post": "yes"})
    return [str(message) for message in get_messages(response.wsgi_request)]


def delete(client: Client, jobs: list[Job]) -> list[str]:
    chosen: dict[str, Any] = {"action": "delete_selected", "_selected_action": [str(job.pk) for job in jobs]}
    response = client.post("/admin/chroniker/job/", {**chosen, "post": "yes"})
    assert response.status_code == 302
    return [str(message) for message in get_messages(response.wsgi_request)]
