from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.messages import get_messages
from django.test import Client, override_settings
from django.urls import reverse

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.lifecycle import Outcome
from chroniker.models import Job, Run, Status
from chroniker.scheduler.manual_runs import run_now
from tests.support.factories import a_booked_job, a_dependency, started, state_of

if TYPE_CHECKING:
    from chroniker.executors.dummy import DummyExecutor

LIST = "/admin/chroniker/job/"


def messages_of(response: Any) -> str:
    return " ".join(str(message) for message in get_messages(response.wsgi_request))


def linked(run: Run, message: str) -> str:
    """The message with a link to the page of the run."""
    return message.replace("Run 1", f'<a href="{reverse("admin:chroniker_run_change", args=[run.pk])}">Run 1</a>')


def press(client: Client, button: str, job: Job) -> str:
    client.cookies.pop("messages", None)
    return messages_of(client.post(reverse(f"admin:chroniker_job_{button}", args=[job.pk])))


def act(client: Client, action: str, *jobs: Job, **more: str) -> str:
    client.cookies.pop("messages", None)
    selected = [str(job.pk) for job in jobs]
    chosen = {"action": action, "_selected_action": selected, "confirmed": str(len(selected)), **more}
    return messages_of(client.post(LIST, chosen))


def history() -> list[str]:
    return list(LogEntry.objects.order_by("pk").values_list("change_message", flat=True))


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
    started(run_now(running, by="a test"))
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
    run, other = run_now(running, by="a test"), run_now(queued, by="a test")
    started(run)
    for job in (running, queued, idle):
        press(admin, "stop", job)
    run.refresh_from_db()
    other.refresh_from_db()
    assert (run.status, run.stop_requested_by) == (Status.RUNNING, "root")
    assert other.status == Status.STOPPED
    assert history() == ["Stop of run 1 requested."] * 2


def test_the_message_after_a_stop_gives_the_state_of_the_run(admin: Client) -> None:
    running, queued, ended = (run_now(a_booked_job(), by="a test") for _ in range(3))
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
    run = run_now(a_booked_job(), by="a test")
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


def test_jobs_are_enabled_and_disabled_in_bulk_and_booked(
    admin: Client, django_capture_on_commit_callbacks: Any
) -> None:
    on, off = [a_booked_job(), a_booked_job()], a_booked_job(enabled=False)
    with django_capture_on_commit_callbacks(execute=True):
        assert act(admin, "disable", *on, off).startswith("2 jobs were disabled.")
    assert not Job.objects.filter(enabled=True).exists()
    assert not Job.objects.exclude(edited_at=None).exists()
    assert [state_of(job).next_run for job in on] == [None, None]
    with django_capture_on_commit_callbacks(execute=True):
        assert act(admin, "enable", off) == "1 job was enabled."
    assert state_of(off).next_run is not None
    assert history() == ["Disabled."] * 2 + ["Enabled."]


def test_jobs_are_run_in_bulk_and_the_refusals_are_named(admin: Client) -> None:
    free, off = [a_booked_job() for _ in range(2)], [a_booked_job(name=f"off {n}", enabled=False) for n in range(7)]
    shown = act(admin, "run_now", *free, *off)
    assert "2 runs were queued." in shown
    assert "7 jobs were not started." in shown
    assert "“off 4”: It is disabled." in shown and "and 2 more" in shown
    assert Run.objects.count() == 2
    assert history() == ["Started manually."] * 2


def test_jobs_are_stopped_in_bulk(admin: Client) -> None:
    running, idle = a_booked_job(), a_booked_job()
    run = run_now(running, by="a test")
    assert act(admin, "stop", running, idle) == "Stop of 1 job requested. 1 job has no open run."
    run.refresh_from_db()
    assert run.status == Status.STOPPED


def test_one_action_runs_at_most_a_hundred_jobs(admin: Client) -> None:
    now = database_now()
    Job.objects.bulk_create([Job(name=f"job {n}", command="noop", cron="* * * * *", edited_at=now) for n in range(101)])
    shown = act(admin, "run_now", *Job.objects.all()[:1], select_across="1")
    assert "101 jobs are selected, but at most 100" in shown
    assert not Run.objects.exists()


TITLES = {"disable": "Disable", "run_now": "Run", "stop": "Stop"}


@pytest.mark.parametrize("action", TITLES)
def test_a_bulk_action_asks_first_with_number_and_names(admin: Client, action: str) -> None:
    jobs = [a_booked_job(name=f"<job {n}>") for n in range(2)]
    open_run = run_now(a_booked_job(), by="a test")
    selected = [str(job.pk) for job in (*jobs, open_run.job)]
    page = admin.post(LIST, {"action": action, "_selected_action": selected})
    html = page.content.decode()
    assert f"{TITLES[action]} 3 jobs" in html and "&lt;job 0&gt;" in html and "&lt;job 1&gt;" in html
    assert Run.objects.count() == 1 and Job.objects.filter(enabled=True).count() == 3 and history() == []
    sent = {"action": action, "confirmed": "3", "_selected_action": selected}
    for name, value in sent.items():
        assert f'name="{name}" value="{value if isinstance(value, str) else value[0]}"' in html
    assert admin.post(LIST, sent).status_code == 302
    open_run.refresh_from_db()
    done = {
        "disable": not Job.objects.filter(enabled=True).exists(),
        "run_now": Run.objects.count() == 3,
        "stop": open_run.status == Status.STOPPED,
    }
    assert done[action]


def test_a_bulk_action_asks_again_if_the_number_of_jobs_has_changed(admin: Client) -> None:
    now = database_now()
    Job.objects.bulk_create([Job(name=f"job {n}", command="noop", cron="* * * * *", edited_at=now) for n in range(105)])
    select_all = {"action": "disable", "_selected_action": str(Job.objects.first().pk), "select_across": "1"}  # type: ignore[union-attr]
    html = admin.post(LIST, select_all).content.decode()
    assert "Disable 105 jobs?" in html and "and 5 more jobs" in html and 'name="select_across"' in html
    Job.objects.filter(name="job 7").delete()
    again = admin.post(LIST, {**select_all, "confirmed": "105"}).content.decode()
    assert "Disable 104 jobs?" in again and "has changed" in again
    assert not Job.objects.filter(enabled=False).exists()
    admin.post(LIST, {**select_all, "confirmed": "104"})
    assert not Job.objects.filter(enabled=True).exists()


def test_bulk_actions_need_their_permission(staff: Callable[..., Client]) -> None:
    job = a_booked_job()
    offered = {
        ("view_job",): set(),
        ("view_job", "run_job"): {"run_now"},
        ("view_job", "stop_job"): {"stop"},
        ("change_job",): {"enable", "disable"},
    }
    for rights, expected in offered.items():
        client = staff(*rights)
        page = client.get(LIST).content.decode()
        everything = ("enable", "disable", "run_now", "stop", "delete_selected")
        assert {action for action in everything if f'value="{action}"' in page} == expected
        for action in set(everything) - expected:
            act(client, action, job)
    job.refresh_from_db()
    assert job.enabled
    assert not Run.objects.exists()
