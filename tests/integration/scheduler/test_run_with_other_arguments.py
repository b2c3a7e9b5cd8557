"""Run a job now with other arguments for this run only."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.messages import get_messages
from django.core.management import CommandError, call_command
from django.test import Client, override_settings
from django.urls import reverse
from django.utils.html import strip_tags

from chroniker.clock.database_clock import database_now
from chroniker.exceptions import ClaimRefused
from chroniker.models import JobState, LogChunk, Run, Status, Trigger
from chroniker.scheduler.manual_runs import run_now
from chroniker.scheduler.tick import tick
from tests.support.command_jobs import DUMMY, INLINE, a_job_of_new_year, stdout_of, the_run
from tests.support.factories import a_booked_job, a_job, state_of
from tests.support.manage import Manage

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_run_gets_the_given_arguments_and_the_job_keeps_its_own() -> None:
    job = a_booked_job(command="chatty", args="--lines 5", cron="0 0 1 1 *")
    before = state_of(job).next_run
    with override_settings(CHRONIKER_EXECUTORS=INLINE):
        first, second = run_now(job, "a test", args="--lines 2"), run_now(job, "a test")
    assert "line 2 of 2" in stdout_of(first) and "line 5 of 5" in stdout_of(second)
    assert [first.args, second.args] == ["--lines 2", None]
    job.refresh_from_db()
    assert (job.args, state_of(job).next_run) == ("--lines 5", before)


def test_an_empty_list_replaces_the_arguments_of_the_job() -> None:
    job = a_booked_job(command="fails", args="--status 3")
    with override_settings(CHRONIKER_EXECUTORS=INLINE):
        run_now(job, "a test", args="")
    assert the_run(job).exit_code == 1


@pytest.mark.parametrize(
    ("fields", "args", "expected"),
    [
        ({}, "'one quote", "cannot be split into words"),
        ({"command": "chatty"}, "--lines many", "argument --lines: invalid int value: 'many'"),
        ({"command": "gone"}, "x", "There is no management command “gone”."),
        ({"command": "", "raw_command": "true"}, "x", "Raw commands have no separate arguments"),
    ],
)
def test_invalid_arguments_are_refused_before_anything_is_written(
    fields: dict[str, Any], args: str, expected: str
) -> None:
    job = a_job(**fields)
    with pytest.raises(ClaimRefused, match=expected):
        run_now(job, "a test", args=args)
    assert not Run.objects.exists()
    assert not JobState.objects.exists()


def test_a_retry_has_the_arguments_of_the_run_that_failed() -> None:
    job = a_booked_job(command="fails", max_retries=1, retry_backoff_seconds=0, cron="0 0 1 1 *")
    with override_settings(CHRONIKER_EXECUTORS=INLINE):
        run_now(job, "a test", args="--status 7")
        (retry,) = tick().claimed
    retry.refresh_from_db()
    assert (retry.trigger, retry.args, retry.exit_code) == (Trigger.RETRY, "--status 7", 7)


def test_a_retry_of_an_ordinary_run_uses_the_current_arguments_of_the_job() -> None:
    job = a_booked_job(command="fails", args="--status 7", max_retries=1, retry_backoff_seconds=0, cron="0 0 1 1 *")
    with override_settings(CHRONIKER_EXECUTORS=INLINE):
        run_now(job, "a test")
        Run.objects.create(
            job=job, token=99, status=Status.SKIPPED, trigger="SCHEDULE", claimed_at=database_now(), args="--status 9",
            finished_at=database_now(), attempt=0,
        )  # fmt: skip
        type(job).objects.filter(pk=job.pk).update(args="--status 8")
        JobState.objects.filter(pk=job.pk).update(last_token=99)
        (retry,) = tick().claimed
    retry.refresh_from_db()
    assert (retry.args, retry.exit_code) == (None, 8)


def test_run_job_accepts_arguments_after_two_dashes(manage: Manage) -> None:
    job = a_job_of_new_year(command="env_dump", args="never --flag")
    done = manage("run_job", job.name, "--", "two words", "--flag")
    assert done.returncode == 0, done.stderr
    assert '"words": ["two words"], "flag": true' in done.stdout
    assert the_run(job).args == "'two words' --flag"


def test_run_job_accepts_arguments_as_one_option_and_refuses_invalid_ones() -> None:
    job = a_job_of_new_year(command="chatty")
    with override_settings(CHRONIKER_EXECUTORS=DUMMY):
        call_command("run_job", job.name, "--args=--lines 3", stdout=io.StringIO())
        with pytest.raises(CommandError, match="cannot be split into words"):
            call_command("run_job", job.name, "--args='", stdout=io.StringIO())
        with pytest.raises(CommandError, match="does not accept these arguments"):
            call_command("run_job", job.name, "--args=--nonsense", stdout=io.StringIO())
    assert the_run(job).args == "--lines 3"


def page_of(job: Any) -> str:
    return reverse("admin:chroniker_job_run_with", args=[job.pk])


def test_the_admin_form_is_prefilled_with_the_arguments_of_the_job(admin: Client) -> None:
    job = a_booked_job(name="chat", command="chatty", args="--lines 5 '<b>'")
    change = admin.get(reverse("admin:chroniker_job_change", args=[job.pk])).content.decode()
    assert page_of(job) in change
    form_page = admin.get(page_of(job))
    assert "--lines 5 &#x27;&lt;b&gt;&#x27;" in form_page.content.decode()
    assert not Run.objects.exists()
    with override_settings(CHRONIKER_EXECUTORS=DUMMY):
        answer = admin.post(page_of(job), {"args": "--lines 2"})
    assert answer.status_code == 302
    run = the_run(job)
    assert run.args == "--lines 2"
    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.get_change_message()) == (
        str(job.pk),
        "Run 1 started manually with the arguments: --lines 2",
    )
    shown = strip_tags(admin.get(reverse("admin:chroniker_run_change", args=[run.pk])).content.decode())
    assert "--lines 2" in shown and "for this run only" in shown


def test_the_admin_form_shows_invalid_arguments_again_with_the_reason(admin: Client) -> None:
    job = a_booked_job(command="chatty")
    page = admin.post(page_of(job), {"args": "it's"})
    assert page.status_code == 200
    text = page.content.decode()
    assert "cannot be split into words" in text and "it&#x27;s</textarea>" in text
    assert not Run.objects.exists() and not LogEntry.objects.exists()


def test_a_refused_claim_keeps_the_entered_arguments(admin: Client) -> None:
    job = a_booked_job(command="chatty", enabled=False)
    page: Any = admin.post(page_of(job), {"args": "--lines 2"})
    assert "--lines 2" in page.content.decode()
    assert "It is disabled." in page.content.decode()


def test_the_admin_does_not_offer_other_arguments_for_raw_commands(admin: Client) -> None:
    job = a_booked_job(command="", raw_command="true")
    assert page_of(job) not in admin.get(reverse("admin:chroniker_job_change", args=[job.pk])).content.decode()
    answer = admin.post(page_of(job), {"args": "x"})
    assert next(str(message) for message in get_messages(answer.wsgi_request)).startswith("Raw commands have no")
    assert not Run.objects.exists()


def test_a_user_without_permission_to_run_jobs_does_not_get_the_form(staff: Callable[..., Client]) -> None:
    job = a_booked_job(command="chatty")
    client = staff("view_job", "change_job")
    assert client.get(page_of(job)).status_code == client.post(page_of(job), {"args": ""}).status_code == 403
    assert not Run.objects.exists()
    assert not LogChunk.objects.exists()
