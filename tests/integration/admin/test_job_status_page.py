"""The page Status of a job: its sentence, the picture of durations, recent runs, facts and dependencies."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from chroniker import lifecycle
from chroniker.admin.jobs.durations_plot import PLOT_LEFT_X
from chroniker.clock.database_clock import database_now
from chroniker.models import Job, JobState, Lease, Run, RunHour, Status
from chroniker.scheduler.manual_runs import run_now
from tests.support.factories import a_booked_job, a_dependency, started
from tests.support.run_history import ended

NEW_YEAR = "0 0 1 1 *"
#: Statements of the frame: the health, and the pause.
FRAME = 8


def address(job: Job) -> str:
    return reverse("admin:chroniker_job_status", args=[job.pk])


def shown(client: Client, job: Job, query: str = "") -> dict[str, Any]:
    page: Any = client.get(address(job) + query)
    assert page.status_code == 200
    return {**page.context_data, "html": page.content.decode()}


def test_a_running_job_says_since_when_and_what_is_left(admin: Client) -> None:
    job = a_booked_job(cron=NEW_YEAR)
    run = run_now(job, requested_by="a test")
    lifecycle.renew(run.pk, run.token, started(run, "batch-1"), (200, 50))
    Run.objects.filter(pk=run.pk).update(started_at=database_now() - dt.timedelta(minutes=11))
    sentence = shown(admin, job)["sentence"]
    text = re.sub("<[^>]+>", "", str(sentence.text))
    assert text.startswith("Run 1 has been running for 11 min on batch-1: 50 of 200, about 33 min left (")
    assert sentence.tone == "busy"


@pytest.mark.parametrize("is_started", [False, True])
def test_the_open_run_is_linked_for_users_who_may_view_runs(staff: Callable[..., Client], is_started: bool) -> None:
    job = a_booked_job(cron=NEW_YEAR)
    run = run_now(job, requested_by="a test")
    if is_started:
        started(run)
    link = f'Run <a href="{reverse("admin:chroniker_run_change", args=[run.pk])}">1</a> has been'
    assert link in str(shown(staff("view_job", "view_run"), job)["sentence"].text)
    page = shown(staff("view_job", "run_job", "stop_job"), job)
    assert str(page["sentence"].text).startswith("Run 1 has been") and str(run.pk) not in page["html"]


def test_a_failing_job_says_how_often_and_with_which_error(admin: Client) -> None:
    job = a_booked_job(cron=NEW_YEAR)
    [run] = ended(job, 0.1, status=Status.FAILED)
    Run.objects.filter(pk=run.pk).update(error_line="KeyError: 'price'")
    JobState.objects.filter(pk=job.pk).update(failures=3, failing_since=database_now(), last_status=Status.FAILED)
    sentence = shown(admin, job)["sentence"]
    assert re.fullmatch(r"3 failures in a row since (\w+ )?\d\d:\d\d: KeyError: 'price'", str(sentence.text))
    assert sentence.tone == "bad"


def test_a_new_job_has_not_run_and_says_when_it_will(admin: Client) -> None:
    page = shown(admin, a_booked_job(cron=NEW_YEAR))
    assert page["sentence"].text == "It has not run yet."
    assert page["sentence"].note.startswith("Next run: ")
    assert "No run started in this range." in page["html"]


def test_each_run_of_the_range_is_a_mark_and_a_row_of_the_table(admin: Client) -> None:
    job = a_booked_job(cron=NEW_YEAR, timeout_seconds=3)
    ended(job, 5, 2, 1, took=dt.timedelta(seconds=2))
    ended(job, 0.5, status=Status.FAILED)
    page = shown(admin, job)
    assert [mark.shape for mark in page["plot"]["marks"]] == ["dot", "dot", "cross"]
    assert page["html"].count("<circle class") == 2 + 1  # and one in the legend
    assert [row["runs"] for row in page["duration_rows"]] == ["4", "3", "2"]
    assert "timeout" in {line.label for line in page["plot"]["lines"]}
    assert len(shown(admin, job, "?range=all")["plot"]["marks"]) == 4
    assert len(shown(admin, job, "?range=24h")["plot"]["marks"]) == 1
    assert len(shown(admin, job, "?range=nonsense")["plot"]["marks"]) == 3


def test_the_picture_of_a_young_job_begins_with_its_first_run(admin: Client) -> None:
    old, young = a_booked_job(cron=NEW_YEAR), a_booked_job(cron=NEW_YEAR)
    ended(old, 5, 0.01, 0)
    ended(young, 0.01, 0)
    first_marks = [shown(admin, job)["plot"]["marks"][0] for job in (old, young)]
    assert [float(mark.x) < PLOT_LEFT_X + 1 for mark in first_marks] == [False, True]


def test_numbers_of_the_drawing_are_the_same_in_every_language(admin: Client) -> None:
    job = a_booked_job(cron=NEW_YEAR)
    ended(job, 1.5, 1, took=dt.timedelta(seconds=1.5))
    html = admin.get(address(job), headers={"accept-language": "de"}).content.decode()
    svg = html[html.index('<svg class="plot wide"') :].split("</svg>")[0]
    for name in ("x1", "y1", "cx", "cy", "x", "y", "r"):
        assert all(re.fullmatch(r"-?\d+(\.\d+)?", value) for value in re.findall(rf' {name}="([^"]*)"', svg)), name


def test_counts_and_delays_come_from_the_hourly_counts(admin: Client) -> None:
    job, now = a_booked_job(cron=NEW_YEAR), database_now()
    hour = now.replace(minute=0, second=0, microsecond=0)
    RunHour.objects.create(job=job, hour=hour, succeeded=59, failed=1, delay_0=90, delay_2=10)
    RunHour.objects.create(job=job, hour=hour - dt.timedelta(days=40), failed=1000)
    facts = {fact.label: fact for fact in shown(admin, job)["glance"]}
    assert (facts["Success, 30 days"].value, facts["Success, 30 days"].note) == ("98.3 %", "59 of 60")
    assert facts["Start delay, p95"].value == "up to 2 s"


def test_values_of_secrets_are_not_shown(admin: Client) -> None:
    job = a_booked_job(
        cron=NEW_YEAR,
        args="--key=s3cret-value",
        environment="URL=http://s3cret-value@host",
        secrets="KEY=setting:A_KEY",
    )
    [run] = ended(job, 0.1, status=Status.FAILED)
    Run.objects.filter(pk=run.pk).update(error_line="refused: s3cret-value")
    JobState.objects.filter(pk=job.pk).update(failures=1, failing_since=database_now(), last_status=Status.FAILED)
    with override_settings(A_KEY="s3cret-value"):
        for name in ("status", "runs", "code"):
            html = admin.get(reverse(f"admin:chroniker_job_{name}", args=[job.pk])).content.decode()
            assert "s3cret-value" not in html, name
            assert "••••••" in html, name
        assert "s3cret-value" not in admin.get("/admin/chroniker/job/").content.decode()


def test_dependencies_are_listed_in_both_directions(admin: Client) -> None:
    job, before, after = (a_booked_job(name=name, cron=NEW_YEAR) for name in ("this", "before", "after"))
    a_dependency(job, before, wait_for_success=True)
    a_dependency(after, job, wait_for_completion=True)
    started(run_now(before, requested_by="a test"))
    page = shown(admin, job)
    assert [(row["name"], row["conditions"], row["code"]) for row in page["waits_for"]] == [
        ("before", "until it succeeded", "running")
    ]
    assert [row["name"] for row in page["waited_for_by"]] == ["after"]


def test_without_the_right_to_view_runs_there_are_none(staff: Callable[..., Client]) -> None:
    job = a_booked_job(cron=NEW_YEAR)
    ended(job, 0.1, status=Status.FAILED)
    page = shown(staff("view_job"), job)
    assert "plot" not in page and "recent" not in page
    assert [tab["title"] for tab in page["job_tabs"]] == ["Status", "Edit"]
    assert "Stop" not in page["html"]


def test_the_page_costs_the_same_statements_for_any_history(admin: Client) -> None:
    few, many = a_booked_job(cron=NEW_YEAR), a_booked_job(cron=NEW_YEAR)
    ended(few, 1.0)
    ended(many, *(number / 1000 for number in range(900, 0, -1)))
    for _ in range(15):
        a_dependency(a_booked_job(), many, wait_for_success=True)
    admin.get(address(few))  # content types are cached from now on
    counts = {}
    for job in (few, many):
        with CaptureQueriesContext(connection) as captured:
            admin.get(address(job))
        counts[job.pk] = [query["sql"] for query in captured]
    assert len(counts[few.pk]) == len(counts[many.pk])
    own = [sql for sql in counts[few.pk] if "django_" not in sql and "auth_user" not in sql.split("FROM")[1][:20]]
    assert len(own) <= 9 + FRAME, "\n".join(own)


def test_the_refresh_answers_the_parts_that_changed(admin: Client) -> None:
    job = a_booked_job(cron=NEW_YEAR)
    first: Any = admin.get(f"{address(job)}?_live=")
    etag = first.json()["etag"]
    assert admin.get(f"{address(job)}?_live={etag}").status_code == 304
    started(run_now(job, requested_by="a test"))
    html = admin.get(f"{address(job)}?_live={etag}").json()["html"]
    assert (
        "Running" in html["job-state"] and "Stop" in html["job-actions"] and "has been running" in html["job-sentence"]
    )


def test_one_more_run_is_requested_for_the_time_after_the_open_one(admin: Client) -> None:
    job = a_booked_job(cron=NEW_YEAR)
    started(run_now(job, requested_by="a test"))
    page = admin.post(reverse("admin:chroniker_job_run", args=[job.pk]), {"after": "1"}, follow=True)
    assert "runs once more when its open run has ended" in page.content.decode()
    job.refresh_from_db()
    assert job.force_run and Lease.objects.count() == 1


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "javascript:alert(1)"])
def test_a_form_cannot_lead_to_another_site(admin: Client, target: str) -> None:
    job = a_booked_job(cron=NEW_YEAR)
    answer = admin.post(reverse("admin:chroniker_job_run", args=[job.pk]), {"next": target})
    assert answer["Location"] == address(job)


def test_a_form_leads_back_to_the_list_as_it_was(admin: Client) -> None:
    job, back = a_booked_job(cron=NEW_YEAR), "/admin/chroniker/job/?show=failing"
    for name in ("run", "stop", "enable"):
        answer = admin.post(reverse(f"admin:chroniker_job_{name}", args=[job.pk]), {"next": back})
        assert answer["Location"] == back


def test_disabling_asks_and_enabling_does_not(admin: Client) -> None:
    job = a_booked_job(cron=NEW_YEAR)
    disable, enable = (reverse(f"admin:chroniker_job_{name}", args=[job.pk]) for name in ("disable", "enable"))
    assert "Disable 1 job?" in admin.post(disable).content.decode()
    assert Job.objects.get(pk=job.pk).enabled
    admin.post(disable, {"confirmed": "1"})
    assert not Job.objects.get(pk=job.pk).enabled
    admin.post(enable)
    assert Job.objects.get(pk=job.pk).enabled


def test_the_declaration_is_shown_and_downloaded(admin: Client) -> None:
    job = a_booked_job(name="Ünique & <b>", cron=NEW_YEAR, queue="heavy")
    a_dependency(job, a_booked_job(name="before"), wait_for_success=True)
    url = reverse("admin:chroniker_job_code", args=[job.pk])
    html = admin.get(url).content.decode()
    assert (
        "queue=&quot;heavy&quot;" in html and "@job(" in html and "<b>" not in html.split("<main")[1].split("<pre")[1]
    )
    answer = admin.get(f"{url}?download=1")
    assert answer["Content-Disposition"] == 'attachment; filename="nique_b.py"'
    assert 'after=["before"]' in answer.content.decode()
