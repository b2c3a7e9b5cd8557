"""What the page Status of a job says about rarer states, and which of its facts have words instead of a number."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client, override_settings
from django.urls import reverse

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.insights import health_facts
from chroniker.models import Host, Job, JobState, RunHour, Status, Ticker
from chroniker.scheduler.manual_runs import run_now
from tests.support.factories import a_booked_job, a_dependency, a_due_job, a_job, started

NEW_YEAR = "0 0 1 1 *"


def shown(client: Client, job: Job) -> Any:
    page: Any = client.get(reverse("admin:chroniker_job_status", args=[job.pk]))
    assert page.status_code == 200
    return page.context_data


def note(client: Client, job: Job) -> str:
    return str(shown(client, job)["sentence"].note)


def a_failing_job(**fields: Any) -> Job:
    job = a_booked_job(**fields)
    JobState.objects.filter(pk=job.pk).update(failures=1, failing_since=database_now(), last_status=Status.FAILED)
    return job


def test_a_job_with_a_wrong_schedule_says_what_to_do(admin: Client) -> None:
    job = a_booked_job(cron=NEW_YEAR)
    Job.objects.filter(pk=job.pk).update(cron="61 * * * *")
    lifecycle.book_next_instants([job.pk], database_now())
    assert "“61”" in shown(admin, job)["sentence"].text
    assert note(admin, job) == "Fix the schedule and save the job: then it is scheduled again."


@pytest.mark.parametrize(
    ("fields", "end"),
    [
        ({"cron": NEW_YEAR, "overlap": "WAIT"}, "; if this run is still running then, the next one waits."),
        ({"cron": NEW_YEAR, "overlap": "SKIP"}, "; if this run is still running then, the next one is skipped."),
        ({"cron": NEW_YEAR, "overlap": "REPLACE"}, "; if this run is still running then, this run is stopped."),
        ({"cron": "", "frequency": "MANUAL"}, ""),
    ],
)
def test_a_running_job_says_what_becomes_of_its_next_run(admin: Client, fields: dict[str, Any], end: str) -> None:
    job = a_booked_job(**fields)
    started(run_now(job, requested_by="a test"))
    text = note(admin, job)
    assert text.startswith("The next run is due at ") and text.endswith(end) if end else text == ""


def test_a_failing_job_says_when_it_runs_again(admin: Client) -> None:
    assert note(admin, a_failing_job(cron=NEW_YEAR)).startswith("Next run: ")
    by_hand = a_failing_job(cron="", frequency="MANUAL")
    assert note(admin, by_hand) == "It has no schedule; it is started by hand or by a trigger."
    with override_settings(CHRONIKER_PAUSED=True):
        assert note(admin, a_failing_job(cron=NEW_YEAR)) == "The scheduler is paused."


@pytest.mark.parametrize(
    ("hours", "drains", "text"),
    [
        (0, False, "; the next tick starts it."),
        (2.5, False, ". The last tick was "),
        (0, True, ". The host “here” has been draining since "),
        (9, False, ". Nothing ticks. The last tick was "),
    ],
)
def test_a_due_job_names_the_problem_of_the_tick(admin: Client, hours: float, drains: bool, text: str) -> None:
    now, job = database_now(), a_due_job(cron="0 * * * *", minutes=61)
    Host.objects.create(name="here", last_seen=now, draining_since=now if drains else None)
    seen = {"last_at": now - dt.timedelta(hours=hours), "period": 3600, "pass_seconds": 0.1}
    Ticker.objects.create(host="here", kind="cron", version="2", pid=1, **seen)
    health_facts.clear_cached_health_facts()
    found = str(shown(admin, job)["sentence"].text)
    assert re.sub(r"^Due since (\w+ )?\d\d:\d\d", "", found).startswith(text)


def facts(client: Client, job: Job) -> dict[str, str]:
    page = shown(client, job)
    return {fact.label: fact.value for fact in [*page["glance"], *page["facts"]]}


def test_a_start_delay_above_the_last_bound_has_only_that_bound(admin: Client) -> None:
    job = a_booked_job(cron=NEW_YEAR)
    RunHour.objects.create(job=job, hour=database_now().replace(minute=0, second=0, microsecond=0), delay_6=9)
    assert facts(admin, job)["Start delay, p95"] == "over 5 min"


def test_unset_and_wrong_values_of_a_job_have_words(admin: Client) -> None:
    plain = a_booked_job(cron=NEW_YEAR, secrets=" ", email_errors_to_subscribers=False)
    plain.subscribers.add(User.objects.get())
    found = facts(admin, plain)
    assert "Secrets" not in found and found["Notified on failure"] == "nobody"
    assert found["Executor, queue"] == "default"
    found = facts(admin, a_booked_job(cron=NEW_YEAR, secrets="KEY=value", queue="mails", priority=0))
    assert found["Secrets"] == "(cannot be read)" and found["Executor, queue"] == "default, mails, priority 0"


def test_linked_jobs_have_their_state(admin: Client) -> None:
    job = a_booked_job(name="this", cron=NEW_YEAR)
    others = {
        "": a_job(name="never booked", cron=NEW_YEAR),
        "disabled": a_booked_job(name="off", cron=NEW_YEAR, enabled=False),
        "failing": a_failing_job(name="fails", cron=NEW_YEAR),
        "succeeded": a_booked_job(name="works", cron=NEW_YEAR),
    }
    JobState.objects.filter(pk=others["succeeded"].pk).update(last_status=Status.SUCCEEDED)
    for other in others.values():
        a_dependency(job, other, wait_for_success=True)
    found = {row["name"]: row["code"] for row in shown(admin, job)["waits_for"]}
    assert found == {other.name: code for code, other in others.items()}
