"""A pending retry is made due or cancelled: by a command, and by buttons of the job and of the run."""

from __future__ import annotations

import datetime as dt
import io
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.eligibility import due
from chroniker.eligibility.claim_kinds import RETRY
from chroniker.lifecycle import Outcome, claim_plan
from chroniker.lifecycle.claim import claim
from chroniker.models import Activation, AuditEntry, Job, JobState, JobTrigger, Run, Status, Trigger
from chroniker.scheduler.tick import tick
from tests.support.factories import a_booked_job, a_due_job, started, state_of

pytestmark = pytest.mark.django_db(transaction=True)


def a_failed_job(**fields: Any) -> tuple[Job, Run]:
    job = a_due_job(max_retries=1, retry_backoff_seconds=3600, **{"name": "import", **fields})
    [run] = [run for run in tick().claimed if run.job_id == job.pk]
    assert lifecycle.finish(run.pk, run.token, started(run), Outcome(Status.FAILED))
    assert state_of(job).retry_at is not None
    return job, run


def manage(*words: str, err: io.StringIO | None = None) -> str:
    out = io.StringIO()
    call_command(*words, stdout=out, stderr=err or io.StringIO(), skip_checks=True)
    return out.getvalue()


def test_a_cancelled_retry_ends_its_chain_as_its_last_attempt_did() -> None:
    job, run = a_failed_job(hold_on_failure=True)
    JobTrigger.objects.create(source=job, target=a_booked_job(cron="0 0 1 1 *"), on="FAILED")
    assert manage("retries", "--cancel", "import") == "“import”: its retry is cancelled.\n"
    state = state_of(job)
    assert (state.retry_at, state.retry_of, state.failures) == (None, None, 1)
    assert (state.held_by_run, state.failing_since) == (run.token, state.last_finished_at)
    assert [each.cause for each in Activation.objects.all()] == [run.pk]
    [entry] = AuditEntry.objects.entries_of_row(job)
    assert str(entry) == f"Retry after run {run.token} cancelled."
    with pytest.raises(SystemExit):
        manage("retries", "--cancel", "import")
    assert Activation.objects.count() == 1, "the chain ends once"


def test_a_hastened_retry_is_claimed_by_the_next_tick() -> None:
    job, run = a_failed_job(catch_up="EACH", misfire_grace_seconds=3600)
    assert tick().claimed == []
    assert manage("retries", "--now", "import") == "“import”: its retry is due now.\n"
    [retry] = tick().claimed
    assert (retry.trigger, retry.chain, retry.job_id) == (Trigger.RETRY, run.token, job.pk)
    with pytest.raises(SystemExit):
        manage("retries", "--now", "import")
    assert [str(entry) for entry in AuditEntry.objects.entries_of_row(job)] == ["Retry moved to the current time."]


def test_a_retry_that_is_due_already_is_not_called_missing(admin_client: Client) -> None:
    job, _run = a_failed_job()
    manage("retries", "--now", "import")
    err = io.StringIO()
    with pytest.raises(SystemExit):
        manage("retries", "--now", "import", err=err)
    assert err.getvalue() == "“import” has no pending retry, or its retry is already due.\n"
    now = admin_client.post(reverse("admin:chroniker_job_retry_now", args=[job.pk]), follow=True).content.decode()
    assert "has no pending retry, or its retry is already due." in now


def test_a_claim_that_was_planned_before_the_cancellation_is_not_written() -> None:
    job, _run = a_failed_job(hold_on_failure=True)
    lifecycle.make_retry_due_now(job.pk)
    now = database_now() + dt.timedelta(seconds=1)
    plans = [claim_plan.make_claim_plan(RETRY, state, now) for state in due.find_due_jobs(RETRY, now)]
    assert len(plans) == 1
    lifecycle.cancel_retry(job.pk)
    assert claim(plans, now) == []


def test_pending_retries_are_listed() -> None:
    assert manage("retries") == "No pending retries.\n"
    a_failed_job()
    head, line = manage("retries").splitlines()
    assert head.split("  ")[0] == "job" and "import" in line and "2 of 2" in line and "failed" in line
    other = a_booked_job(name="other")
    assert manage("retries", other.name) == "No pending retries.\n"


def test_the_pages_of_job_and_run_have_the_buttons(admin_client: Client) -> None:
    job, run = a_failed_job(hold_on_failure=True)
    cancel = reverse("admin:chroniker_job_cancel_retry", args=[job.pk])
    for page in (
        reverse("admin:chroniker_job_status", args=[job.pk]),
        reverse("admin:chroniker_run_change", args=[run.pk]),
    ):
        assert f'formaction="{cancel}"' in admin_client.get(page).content.decode()
    now = admin_client.post(reverse("admin:chroniker_job_retry_now", args=[job.pk]), follow=True).content.decode()
    assert "“import” is retried by the next tick." in now
    page = admin_client.post(cancel, follow=True).content.decode()
    assert "The retry of “import” was cancelled." in page and f'formaction="{cancel}"' not in page
    texts = [entry.get_change_message() for entry in LogEntry.objects.order_by("pk")]
    assert texts == ["Retry moved to the current time.", "Retry cancelled."]
    assert "has no pending retry" in admin_client.post(cancel, follow=True).content.decode()


def test_the_buttons_need_the_right_to_run_jobs() -> None:
    job, run = a_failed_job()
    clerk = User.objects.create_user("clerk", is_staff=True)
    clerk.user_permissions.set(Permission.objects.filter(codename__in=["view_job", "view_run"]))
    client = Client()
    client.force_login(clerk)
    page = client.get(reverse("admin:chroniker_run_change", args=[run.pk])).content.decode()
    assert "cancel-retry" not in page
    assert client.post(reverse("admin:chroniker_job_cancel_retry", args=[job.pk])).status_code == 403
    assert JobState.objects.get(pk=job.pk).retry_at is not None
