"""Actions for the selected jobs of a list."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client

from chroniker.clock.database_clock import database_now
from chroniker.models import Job, Run, Status
from chroniker.scheduler.manual_runs import run_now
from tests.support.factories import a_booked_job, started, state_of

if TYPE_CHECKING:
    pass
from tests.integration.admin.pressed_buttons import LIST, act, history


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
    run = run_now(running, requested_by="a test")
    assert act(admin, "stop", running, idle) == "Stop requested for 1 job. 1 job has no open run."
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
    open_run = run_now(a_booked_job(), requested_by="a test")
    selected = [str(job.pk) for job in (*jobs, open_run.job)]
    page = admin.post(LIST, {"action": action, "_selected_action": selected})
    html = page.content.decode()
    affected = {"disable": "3 jobs", "run_now": "2 jobs", "stop": "1 job"}
    assert (
        f"{TITLES[action]} {affected[action]}</button>" in html and "&lt;job 0&gt;" in html and "&lt;job 1&gt;" in html
    )
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


@pytest.mark.parametrize("action", TITLES)
def test_the_question_counts_only_the_jobs_that_it_is_about(admin: Client, action: str) -> None:
    free, off, open_ = a_booked_job(), a_booked_job(enabled=False), a_booked_job()
    started(run_now(open_, requested_by="a test"))
    selected = [str(job.pk) for job in (free, off, open_)]
    page: Any = admin.post(LIST, {"action": action, "_selected_action": selected})
    html, left_out = page.content.decode(), sum(effect.is_left_out for effect in page.context_data["effects"])
    assert left_out == {"disable": 1, "run_now": 2, "stop": 2}[action]
    text = "1 selected job is left out" if left_out == 1 else f"{left_out} selected jobs are left out"
    assert f"{text}; the table says why." in html
    number = "2 jobs" if action == "disable" else "1 job"
    assert f"{TITLES[action]} {number}" in page.context_data["title"] and f"{TITLES[action]} {number}</button>" in html


def test_a_question_without_an_effect_offers_no_button(admin: Client) -> None:
    job = a_booked_job(enabled=False)
    html = admin.post(LIST, {"action": "run_now", "_selected_action": [str(job.pk)]}).content.decode()
    assert "Nothing to do" in html and "It is disabled." in html and 'class="btn first"' not in html


def test_jobs_that_the_question_does_not_list_are_counted_too(admin: Client) -> None:
    now = database_now()
    jobs = [
        Job(name=f"job {n:03}", command="noop", cron="* * * * *", edited_at=now, enabled=n < 103) for n in range(105)
    ]
    Job.objects.bulk_create(jobs)
    sent = {"action": "disable", "_selected_action": str(Job.objects.all()[0].pk), "select_across": "1"}
    html = admin.post(LIST, sent).content.decode()
    assert "Disable 103 jobs</button>" in html and "2 selected jobs are left out" in html


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


def test_an_action_for_the_selected_jobs_goes_back_to_the_list_as_it_was(admin: Client) -> None:
    job, other = a_booked_job(name="one"), a_booked_job(name="two")
    address = f"{LIST}?show=all&q=one&o=name"
    sent = {"action": "disable", "index": "0", "select_across": "0", "_selected_action": [str(job.pk)]}
    page: Any = admin.post(address, sent)
    assert "Disable 1 job?" in page.content.decode()
    assert [effect.overview.job for effect in page.context_data["effects"]] == [job]
    answer = admin.post(address, {"action": "disable", "confirmed": "1", "_selected_action": [str(job.pk)]})
    assert answer["Location"] == address
    assert [Job.objects.get(pk=each.pk).enabled for each in (job, other)] == [False, True]


def test_the_question_says_what_happens_to_each_job(admin: Client) -> None:
    idle, off, open_ = a_booked_job(name="a"), a_booked_job(name="b", enabled=False), a_booked_job(name="c")
    started(run_now(open_, requested_by="a test"))
    ids = [str(job.pk) for job in (idle, off, open_)]

    def effects(action: str) -> list[str]:
        page: Any = admin.post(LIST, {"action": action, "index": "0", "_selected_action": ids})
        return [effect.text for effect in page.context_data["effects"]]

    assert effects("run_now") == [
        "Runs at once; executor, queue: default", "Is left out. It is disabled.", "Is left out. It is running."
    ]  # fmt: skip
    assert [text.partition(" for ")[0] for text in effects("stop")] == [
        "Is left as it is: it has no open run", "Is left as it is: it has no open run",
        "Run 1 is stopped; it has been running",
    ]  # fmt: skip
    first, second, third = effects("disable")
    assert first.startswith("Is not started any more; the run due at")
    assert second == "Is disabled already" and third.endswith("Its open run continues")
