"""The page of a job's backfills: the form with its preview, progress, cancellation, permissions."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.models import Backfill, Job, JobState, Run, Status, Trigger
from chroniker.scheduler.tick import tick
from tests.integration.admin.schedule_histories import MINUTE, a_history, rows
from tests.support.factories import a_booked_job, started

pytestmark = pytest.mark.django_db(transaction=True)

DAY = dt.timedelta(days=1)


@pytest.fixture
def job() -> Job:
    now = database_now()
    cron = f"0 {(now.hour + 12) % 24} * * *"
    job = a_booked_job(since=now - 3 * DAY, cron=cron, misfire_grace_seconds=0, timezone="UTC", name="report")
    tick(now=now + dt.timedelta(minutes=1))
    return job


def url(job: Job) -> str:
    return reverse("admin:chroniker_job_backfill", args=[job.pk])


def a_range(**values: Any) -> dict[str, Any]:
    now = database_now().astimezone(dt.UTC)
    ends = {"first": f"{now - 10 * DAY:%Y-%m-%dT%H:%M:%S}", "last": f"{now:%Y-%m-%dT%H:%M:%S}"}
    return {**ends, "which": "NOT_SUCCEEDED", "on_failure": "GO_ON", **values}


def client_with(*names: str) -> Client:
    user = User.objects.create_user("clerk", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=names))
    client = Client()
    client.force_login(user)
    return client


def test_a_preview_says_what_would_run_and_changes_nothing(admin_client: Client, job: Job) -> None:
    page = admin_client.post(url(job), a_range(preview="1")).content.decode()
    assert "3 of 10 scheduled times would run" in page and page.count(">would run<") == 3
    assert not Backfill.objects.exists()


def test_a_backfill_is_started_shows_its_progress_and_is_cancelled(admin_client: Client, job: Job) -> None:
    page = admin_client.post(url(job), a_range(start="1", note="after the fix"), follow=True).content.decode()
    row = Backfill.objects.get()
    assert "The backfill was requested (number of runs: 3)" in page and "after the fix" in page
    assert (row.asked_by, row.planned) == ("admin", 3)
    [run] = tick().claimed
    started(run)
    page = admin_client.get(url(job)).content.decode()
    assert '<progress max="3" value="1"' in page and "1 of 3" in page and "In progress" in page
    page = admin_client.post(url(job), {"cancel_and_stop": str(row.pk)}, follow=True).content.decode()
    assert "The backfill was cancelled" in page and "Cancelled" in page
    run.refresh_from_db()
    assert run.stop_requested_by == "admin"
    texts = [entry.get_change_message() for entry in LogEntry.objects.order_by("pk")]
    assert texts == ["Backfill requested; number of runs: 3.", "Backfill cancelled."]


def test_a_pending_retry_of_a_backfill_can_be_made_due(admin_client: Client, job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(max_retries=1, retry_backoff_seconds=3600)
    admin_client.post(url(job), a_range(start="1"))
    [run] = tick().claimed
    row = Backfill.objects.get()
    assert 'name="retry_now"' not in admin_client.get(url(job)).content.decode()
    assert lifecycle.finish(run.pk, run.token, started(run), lifecycle.Outcome(Status.FAILED))
    assert f'name="retry_now" value="{row.pk}"' in admin_client.get(url(job)).content.decode()
    page = admin_client.post(url(job), {"retry_now": str(row.pk)}, follow=True).content.decode()
    assert "“report” is retried by the next tick." in page
    assert [each.attempt for each in tick().claimed] == [2]
    page = admin_client.post(url(job), {"retry_now": str(row.pk)}, follow=True).content.decode()
    assert "“report” has no pending retry, or its retry is already due." in page
    assert admin_client.post(url(job), {"retry_now": "x"}).status_code == 403


def a_pending_retry(client: Client, job: Job) -> Backfill:
    Job.objects.filter(pk=job.pk).update(max_retries=1, retry_backoff_seconds=3600)
    client.post(url(job), a_range(start="1"))
    [run] = tick().claimed
    assert lifecycle.finish(run.pk, run.token, started(run), lifecycle.Outcome(Status.FAILED))
    return Backfill.objects.get()


def test_a_second_click_changes_nothing_and_adds_no_entry_to_the_history(admin_client: Client, job: Job) -> None:
    button = {"retry_now": str(a_pending_retry(admin_client, job).pk)}
    pages = [admin_client.post(url(job), button, follow=True).content.decode() for _click in range(2)]
    assert (
        "is retried by the next tick." in pages[0] and "has no pending retry, or its retry is already due." in pages[1]
    )
    entries = LogEntry.objects.filter(object_id=str(job.pk)).order_by("pk").values_list("change_message", flat=True)
    assert list(entries) == ["Backfill requested; number of runs: 3.", "Retry moved to the current time."]


def test_only_a_post_to_the_own_job_by_a_permitted_user_makes_a_retry_due(admin_client: Client, job: Job) -> None:
    button = {"retry_now": str(a_pending_retry(admin_client, job).pk)}
    before = JobState.objects.values().get(pk=job.pk)
    assert admin_client.get(url(job), button).status_code == 200
    other = a_booked_job(name="other", cron="0 0 1 1 *")
    assert admin_client.post(url(other), button).status_code == 403
    assert client_with("view_job", "change_job", "view_run", "stop_job").post(url(job), button).status_code == 403
    assert JobState.objects.values().get(pk=job.pk) == before


def test_a_backfill_that_waits_for_another_reason_is_not_made_due(admin_client: Client, job: Job) -> None:
    admin_client.post(url(job), a_range(start="1"))
    JobState.objects.filter(pk=job.pk).update(backfill_at=database_now() + DAY)
    assert not lifecycle.make_backfill_retry_due_now(Backfill.objects.get().pk)


def test_a_refusal_is_shown_in_the_form(admin_client: Client, job: Job) -> None:
    page = admin_client.post(url(job), a_range(start="1", last="2999-01-01T00:00:00")).content.decode()
    assert "The range ends in the future" in page
    page = admin_client.post(url(job), a_range(start="1", args="--nonsense")).content.decode()
    assert "--nonsense" in page and not Backfill.objects.exists()


def test_the_schedule_history_leads_to_the_range_that_did_not_succeed(admin_client: Client, job: Job) -> None:
    history = admin_client.get(reverse("admin:chroniker_job_schedule", args=[job.pk])).content.decode()
    [skipped] = Run.objects.filter(job=job)
    begin = f"{skipped.scheduled_for:%Y-%m-%dT%H}%3A00%3A00"
    assert f"{url(job)}?from={begin}&amp;until=" in history
    form = admin_client.get(f"{url(job)}?from={skipped.scheduled_for:%Y-%m-%dT%H:%M:%S}").content.decode()
    assert f'value="{skipped.scheduled_for:%Y-%m-%dT%H:%M:%S}"' in form


def test_the_schedule_history_names_the_backfill_run_of_a_time(admin_client: Client, job: Job) -> None:
    from chroniker import lifecycle

    admin_client.post(url(job), a_range(start="1"))
    [run] = tick().claimed
    assert lifecycle.finish(run.pk, run.token, started(run), lifecycle.Outcome(Status.SUCCEEDED))
    assert run.instant is not None
    query = {"d": f"{run.instant:%Y-%m-%d}", "t": f"{run.instant:%H:%M}"}
    page = admin_client.get(reverse("admin:chroniker_job_schedule", args=[job.pk]), query).content.decode()
    assert "No: " in page and f"Backfill run {run.token} at " in page
    assert "1 of these scheduled times succeeded in a backfill." in page


def test_the_row_of_one_time_names_its_backfill_run(admin_client: Client) -> None:
    job, since = a_history(Status.FAILED)
    moment = since + 5 * MINUTE
    times = dict.fromkeys(("instant", "claimed_at", "started_at", "finished_at"), moment)
    fields = {"trigger": Trigger.BACKFILL, "origin": Trigger.BACKFILL, "status": Status.SUCCEEDED}
    Run.objects.create(job=job, token=2, **fields, **times)
    row = rows(admin_client, job)[-1]
    assert row[1:3] == ["Failed", "1 , 2"] and row[5].endswith("Backfill run 2: succeeded.")


def test_it_needs_the_right_to_run_jobs_and_arguments_need_more(job: Job) -> None:
    assert client_with("view_job", "view_run").get(url(job)).status_code == 403
    User.objects.all().delete()
    clerk = client_with("view_job", "view_run", "run_job")
    page = clerk.get(url(job)).content.decode()
    assert 'name="args"' not in page
    assert clerk.post(url(job), a_range(start="1", args="--status 3")).status_code == 302
    row = Backfill.objects.get()
    assert row.args is None
    assert clerk.post(url(job), {"cancel_and_stop": str(row.pk)}).status_code == 403
    assert clerk.post(url(job), {"cancel": "nonsense"}).status_code == 403
    assert clerk.post(url(job), {"cancel": str(row.pk)}).status_code == 302
    row.refresh_from_db()
    assert row.cancelled_by == "clerk"
