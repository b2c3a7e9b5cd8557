from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client, override_settings
from django.urls import reverse

from chroniker import lifecycle
from chroniker.lifecycle import Outcome
from chroniker.models import Job, Run, Status
from chroniker.scheduler.manual_runs import run_now
from tests.integration.admin.pressed_buttons import history, messages_of
from tests.support.factories import a_booked_job, a_dependency, started, state_of

if TYPE_CHECKING:
    from chroniker.executors.dummy import DummyExecutor


def linked(run: Run, message: str) -> str:
    """The message with a link to the page of the run."""
    return message.replace("Run 1", f'<a href="{reverse("admin:chroniker_run_change", args=[run.pk])}">Run 1</a>')


def press(client: Client, button: str, job: Job) -> str:
    client.cookies.pop("messages", None)
    return messages_of(client.post(reverse(f"admin:chroniker_job_{button}", args=[job.pk])))


def test_run_claims_and_dispatches_within_the_request_and_leaves_the_schedule_alone(
    admin: Client, dummy: DummyExecutor, django_capture_on_commit_callbacks: Any
) -> None:
    job = a_booked_job()
    before = state_of(job).next_run
    with django_capture_on_commit_callbacks(execute=True):
        press(admin, "run", job)
    run = Run.objects.get()
    assert [sent.pk for sent in dummy.dispatched] == [run.pk]
    assert state_of(job).next_run == before
    assert history() == ["Run 1 started manually."]
    assert [event.description for event in run.events.all()] == ["requested by root"]


@pytest.mark.django_db(transaction=True)
def test_the_message_about_a_queued_run_links_to_its_page(admin: Client, staff: Callable[..., Client]) -> None:
    shown = press(admin, "run", a_booked_job(name="backup"))
    url = reverse("admin:chroniker_run_change", args=[Run.objects.get().pk])
    assert shown == f'<a href="{url}">Run 1</a> of “backup” is queued.'
    assert press(staff("run_job"), "run", a_booked_job(name="other")) == "Run 1 of “other” is queued."


@pytest.mark.django_db(transaction=True)
def test_the_message_about_a_run_that_has_ended_gives_its_result(admin: Client) -> None:
    with override_settings(CHRONIKER_EXECUTORS={"default": {"BACKEND": "chroniker.executors.inline.InlineExecutor"}}):
        shown = press(admin, "run", a_booked_job(name="backup", command="noop"))
    assert shown.endswith("of “backup” has ended: succeeded.")


@pytest.mark.django_db(transaction=True)
def test_the_message_gives_the_reason_when_no_executor_accepts_the_run(admin: Client) -> None:
    with override_settings(CHRONIKER_EXECUTORS={"default": {"BACKEND": "no.such.Backend"}}):
        shown = press(admin, "run", a_booked_job(name="backup"))
    assert "of “backup” is queued, but no executor" in shown
    assert "cannot be imported" in shown


def test_a_refusal_gives_its_reason_and_leaves_no_log_entry(admin: Client) -> None:
    running, off, waits = a_booked_job(name="one"), a_booked_job(name="off", enabled=False), a_booked_job(name="waits")
    started(run_now(running, requested_by="a test"))
    a_dependency(waits, running, wait_for_completion=True)
    assert press(admin, "run", running) == "“one” was not started: It is running."
    assert press(admin, "run", off) == "“off” was not started: It is disabled."
    assert "waits for “one” to end" in press(admin, "run", waits)
    with override_settings(CHRONIKER_PAUSED=True):
        assert "The scheduler is paused." in press(admin, "run", a_booked_job())
    assert history() == []
    assert Run.objects.count() == 1


def test_a_name_with_markup_in_it_is_escaped_in_messages(admin: Client) -> None:
    job = a_booked_job(name="<script>alert(1)</script>", enabled=False)
    page = admin.post(reverse("admin:chroniker_job_run", args=[job.pk]), follow=True).content.decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;” was not started" in page
    assert "<script>alert(1)" not in page


def test_stop_requests_the_stop_of_a_running_run_and_cancels_a_queued_one(admin: Client) -> None:
    running, queued, idle = a_booked_job(), a_booked_job(), a_booked_job()
    run, other = run_now(running, requested_by="a test"), run_now(queued, requested_by="a test")
    started(run)
    for job in (running, queued, idle):
        press(admin, "stop", job)
    run.refresh_from_db()
    other.refresh_from_db()
    assert (run.status, run.stop_requested_by) == (Status.RUNNING, "root")
    assert other.status == Status.STOPPED
    assert history() == ["Stop requested for run 1."] * 2


def test_the_message_after_a_stop_gives_the_state_of_the_run(admin: Client) -> None:
    running, queued, ended = (run_now(a_booked_job(), requested_by="a test") for _ in range(3))
    started(running)
    lifecycle.finish(ended.pk, ended.token, started(ended), Outcome(Status.SUCCEEDED))
    expected = {
        running: f"Run 1 of “{running.job}”: stop requested.",
        queued: f"Run 1 of “{queued.job}” was cancelled before it started.",
        ended: f"Run 1 of “{ended.job}” has already ended: succeeded.",
    }
    for run, shown in expected.items():
        admin.cookies.pop("messages", None)
        assert messages_of(admin.post(reverse("admin:chroniker_run_stop", args=[run.pk]))) == linked(run, shown)


def test_a_stop_of_a_run_that_ends_at_the_same_moment_gives_its_result(
    admin: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_now(a_booked_job(), requested_by="a test")
    nonce = started(run)
    request_stop = lifecycle.request_stop

    def ends_meanwhile(run_id: Any, by: str) -> bool:
        requested = request_stop(run_id, by)
        lifecycle.finish(run.pk, run.token, nonce, Outcome(Status.SUCCEEDED))
        return requested

    monkeypatch.setattr(lifecycle, "request_stop", ends_meanwhile)
    assert press(admin, "stop", run.job) == linked(run, f"Run 1 of “{run.job}” has already ended: succeeded.")


def test_stop_without_an_open_run_gives_that_as_the_reason(admin: Client) -> None:
    assert press(admin, "stop", a_booked_job(name="backup")) == "“backup” has no open run."


def test_a_get_after_a_login_redirects_to_the_job_and_starts_nothing(admin: Client) -> None:
    job = a_booked_job()
    assert admin.get(reverse("admin:chroniker_job_run", args=[job.pk]))["Location"].endswith(f"/{job.pk}/status/")
    assert not Run.objects.exists()


def test_run_and_stop_of_a_missing_job_are_not_found(admin: Client) -> None:
    assert admin.post("/admin/chroniker/job/4711/run/").status_code == 404
    assert admin.post("/admin/chroniker/job/4711/stop/").status_code == 404
