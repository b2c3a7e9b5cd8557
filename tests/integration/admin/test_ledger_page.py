"""The page with the schedule history of a job, and the page about reliability."""

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
from chroniker.clock.database_clock import database_now
from chroniker.models import EventKind, Host, Job, JobState, Run, Status, Trigger
from chroniker.schedule import next_after
from tests.support.admin_pages import url
from tests.support.factories import a_booked_job

MINUTE = dt.timedelta(minutes=1)
FLEET = "/admin/chroniker/run/reliability/"


def address(job: Job, **query: str) -> str:
    return reverse("admin:chroniker_job_ledger", args=[job.pk], query=query)


def page(client: Client, job: Job, **query: str) -> Any:
    response = client.get(address(job, **query))
    assert response.status_code == 200
    return response


def rows(client: Client, job: Job, **query: str) -> list[list[str]]:
    """The texts of the page's cells: scheduled time, result, run, started, reason."""
    return [
        [" ".join(re.sub(r"<.*?>", " ", cell).split()) for cell in row]
        for row in page(client, job, **query).context_data["rows"]
    ]


def answer(client: Client, job: Job, at: str) -> str:
    cell = page(client, job, at=at).context_data["answer"]
    return f"{cell.text} {cell.note}".strip()


def a_history(*ends: Status, **fields: Any) -> tuple[Job, dt.datetime]:
    """A job of every minute whose latest scheduled times ended with these results."""
    since = database_now().replace(second=0, microsecond=0) - (len(ends) + 1) * MINUTE
    job = a_booked_job(since=since, **fields)
    for token, end in enumerate(ends, 1):
        instant = since + token * MINUTE
        ran = end != Status.SKIPPED
        Run.objects.create(
            job=job, token=token, status=end, trigger=Trigger.SCHEDULE, scheduled_for=instant, covered_until=instant,
            claimed_at=instant, started_at=instant + dt.timedelta(seconds=3) if ran else None,
            finished_at=instant + dt.timedelta(seconds=9), code="" if ran else "OVERLAP",
        )  # fmt: skip
        following = {"next_instant": next_after(job.spec, instant), "next_run": next_after(job.spec, instant)}
        JobState.objects.filter(pk=job.pk).update(last_token=token, covered_until=instant, **following)
    return job, since


def test_each_scheduled_time_is_a_row_with_result_run_start_and_reason(admin: Client) -> None:
    job, since = a_history(Status.SUCCEEDED, Status.SKIPPED, Status.LOST)
    due, lost, skipped, succeeded = rows(admin, job)[-4:]
    assert due[1] == "due" and due[4] == "It is due; the next tick starts it." and "overdue by" in due[3]
    assert lost[1:3] == ["lost", "Run: #3"]
    assert skipped[1:] == ["skipped", "Run: #2", "Started:", "The job was still running."]
    assert succeeded[0] == f"{since + MINUTE:%Y-%m-%d %H:%M:%S}"
    assert succeeded[3].endswith("3.0 s after the scheduled time")


def test_whether_it_ran_at_a_time_has_an_answer(admin: Client) -> None:
    job, since = a_history(Status.SUCCEEDED, Status.SKIPPED, Status.LOST, Status.FAILED)
    answers = [answer(admin, job, f"{since + n * MINUTE:%Y-%m-%dT%H:%M}") for n in range(1, 6)]
    assert answers[0].endswith(": ran (succeeded).")
    assert answers[1].endswith(": did not run (skipped). The job was still running.")
    assert answers[2].endswith(": started, then lost. The command may have finished.")
    assert answers[3].endswith(": ran (failed).")
    assert answers[4].endswith(": due, not yet started.")
    between = answer(admin, job, f"{since + 2 * MINUTE:%Y-%m-%dT%H:%M}:30")
    assert between.startswith("Nothing was scheduled at") and between.endswith("the last scheduled time before it.")
    future = answer(admin, job, "2100-01-01T03:00")
    assert future.startswith("That time is in the future. The next scheduled time from then on is 2100")
    assert answer(admin, job, "2001-01-01T03:00").startswith("Nothing was scheduled at")


def test_a_time_is_read_in_the_time_zone_of_the_page(admin: Client) -> None:
    job, _since = a_history(Status.SUCCEEDED)
    Run.objects.update(scheduled_for="2026-01-05T02:00Z", covered_until="2026-01-05T02:00Z")
    with override_settings(TIME_ZONE="Europe/Paris"):
        assert answer(admin, job, "2026-01-05T03:00").startswith("2026-01-05 03:00:00: ran (succeeded).")
        assert answer(admin, job, "2026-01-05T02:00").startswith("Nothing was scheduled")


def test_the_time_in_the_job_s_own_zone_is_shown_beside_it(admin: Client) -> None:
    job, since = a_history(Status.SUCCEEDED, timezone="Asia/Kolkata")
    local = since + MINUTE + dt.timedelta(hours=5, minutes=30)
    assert rows(admin, job)[-1][0].endswith(f"{local:%H:%M:%S} Asia/Kolkata")


def test_the_result_is_that_of_the_last_attempt_and_names_the_first(admin: Client) -> None:
    job, since = a_history(Status.FAILED)
    moment = since + MINUTE
    times = {"claimed_at": moment, "started_at": moment, "finished_at": moment}
    Run.objects.create(job=job, token=2, status=Status.SUCCEEDED, trigger=Trigger.RETRY, attempt=2, **times)
    assert rows(admin, job)[-1][1:3] == ["succeeded", "Run: #2 attempt 2; first attempt #1: failed"]


def test_older_scheduled_times_are_on_a_linked_page(admin: Client) -> None:
    job, since = a_history(*[Status.SUCCEEDED] * 60)
    first = page(admin, job).context_data
    assert len(first["rows"]) == 50
    response: Any = admin.get(address(job) + first["older"])
    older = response.context_data
    assert 10 <= len(older["rows"]) <= 13 and not older["older"]
    assert f"{since + MINUTE:%Y-%m-%d %H:%M:%S}" in older["rows"][-1][0]


@pytest.mark.parametrize(
    "query", ["at=nonsense", "at=2026-13-45T99:99", "at=", "before=x", "at=9999-12-31T23:59", "at=0001-01-01T00:00"]
)
def test_invalid_parameters_are_not_a_server_error(admin: Client, query: str) -> None:
    job, _since = a_history(Status.SUCCEEDED)
    assert admin.get(f"{address(job)}?{query}").status_code == 200
    assert "Enter a date and a time" in page(admin, job, at="nonsense").content.decode()


def test_a_job_with_an_invalid_schedule_shows_its_stored_history(admin: Client) -> None:
    job, _since = a_history(Status.SUCCEEDED)
    Job.objects.filter(pk=job.pk).update(cron="nonsense", timezone="Nowhere/Land")
    lifecycle.book([job.pk], database_now())
    assert [row[1] for row in rows(admin, job)] == ["succeeded"] or "skipped" in rows(admin, job)[0][1]


def test_names_and_reasons_are_escaped(admin: Client) -> None:
    job, _since = a_history(Status.SKIPPED, name="<script>alert(1)</script>")
    Run.objects.update(reason_text="<img src=x onerror=alert(2)>")
    for shown in (page(admin, job), admin.get(url(job)), admin.get(FLEET)):
        html = shown.content.decode()
        assert "<script>alert" not in html and "<img src=x" not in html


def test_the_pages_cost_the_same_statements_for_any_number_of_rows(admin: Client) -> None:
    few, _ = a_history(*[Status.SUCCEEDED, Status.FAILED] * 2)
    many, _ = a_history(*[Status.SUCCEEDED, Status.FAILED] * 60)
    admin.get(address(few))

    def statements(address: str) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert admin.get(address).status_code == 200
        return len(captured)

    assert statements(address(few)) == statements(address(many))
    assert statements(url(few)) == statements(url(many))
    fleet = statements(FLEET)
    for number in range(20):
        Host.objects.create(name=f"host-{number}", last_seen=database_now())
        a_history(Status.LOST)
    assert statements(FLEET) == fleet


def test_the_job_s_page_shows_the_newest_few_and_its_refresh_the_same(admin: Client) -> None:
    job, _since = a_history(*[Status.SUCCEEDED] * 9)
    html = admin.get(url(job)).content.decode()
    assert "Latest scheduled times" in html and address(job) in html
    live: Any = admin.get(reverse("admin:chroniker_job_live", query={"ids": job.pk, "runs": "1"})).json()
    assert [len(row) for row in live["ledger"]] == [5] * 5
    assert live["ledger"][-1][1]["text"] == "succeeded"


def test_overlaps_are_named_with_their_runs(admin: Client) -> None:
    job, since = a_history(Status.SUCCEEDED, Status.SUCCEEDED, name="backup")
    assert "no overlap" in admin.get(url(job)).content.decode()
    Run.objects.filter(token=1).update(finished_at=since + 3 * MINUTE)
    own = admin.get(url(job)).content.decode()
    assert "1 overlap" in own and reverse("admin:chroniker_run_change", args=[Run.objects.get(token=2).pk]) in own


def test_detected_problems_are_counted(admin: Client) -> None:
    job, _since = a_history(Status.SUCCEEDED)
    run = Run.objects.get()
    for _each in range(3):
        lifecycle.note(run.pk, EventKind.REFUSED_DELIVERY)
    response: Any = admin.get(FLEET)
    rows_by_key = {row.key: row for row in response.context_data["rows"]}
    assert rows_by_key["deliveries"].measured.counts == (3, 3, 3)
    assert rows_by_key["late_reports"].measured.counts == (0, 0, 0)
    assert "delivery refused: 3" in admin.get(url(job)).content.decode()


def test_both_pages_need_the_right_to_view_what_they_show(staff: Callable[..., Client]) -> None:
    job, _since = a_history(Status.SUCCEEDED)
    expected_statuses = {
        ("view_job", "view_run"): (200, 200),
        ("view_run",): (403, 200),
        ("view_job",): (403, 403),
        (): (403, 403),
    }
    for rights, expected in expected_statuses.items():
        client = staff(*rights)
        assert (client.get(address(job)).status_code, client.get(FLEET).status_code) == expected, rights
    assert Client().get(address(job)).status_code == Client().get(FLEET).status_code == 302
    question = reverse("admin:chroniker_job_live", query={"ids": job.pk, "runs": "1"})
    assert staff("view_job").get(question).json()["ledger"] is None
    assert "Latest scheduled times" not in staff("view_job").get(url(job)).content.decode()


def test_the_lists_link_to_the_figures(admin: Client, staff: Callable[..., Client]) -> None:
    for name in ("job", "run", "host"):
        assert FLEET in admin.get(f"/admin/chroniker/{name}/").content.decode()
    assert FLEET not in staff("view_job").get("/admin/chroniker/job/").content.decode()
