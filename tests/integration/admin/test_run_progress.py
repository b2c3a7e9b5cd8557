"""Progress in list and page: percentage, rate, and the estimated end by this run and by past runs."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from chroniker import lifecycle
from chroniker.admin.shared.run_progress import RunProgress
from chroniker.clock.database_clock import database_now
from chroniker.lifecycle import Outcome
from chroniker.models import Job, JobState, Lease, Run, Status, Trigger
from chroniker.scheduler.manual_runs import run_now
from tests.support.factories import a_booked_job, started

pytestmark = pytest.mark.django_db
LIST = "/admin/chroniker/job/"
NOW = dt.datetime(2030, 1, 1, 12, tzinfo=dt.UTC)
SECOND = dt.timedelta(seconds=1)


def a_running_run(*, since: int, progress: tuple[int, int] | None = (77, 13), past: int | None = None) -> Run:
    """A run that started ``since`` seconds ago; ``past`` is the duration of each of three earlier runs."""
    job, now = a_booked_job(cron="0 0 1 1 *"), database_now()
    if past is not None:
        for token in (1, 2, 3):
            a_success(job, token, past, now)
        JobState.objects.filter(pk=job.pk).update(last_token=3)
    run = run_now(job, by="a test")
    nonce = started(run)
    if progress:
        lifecycle.renew(run.pk, run.token, nonce, progress)
    Run.objects.filter(pk=run.pk).update(started_at=now - since * SECOND)
    return run


def a_success(job: Job, token: int, seconds: int, now: dt.datetime) -> None:
    Run.objects.create(
        job=job, token=token, status=Status.SUCCEEDED, trigger=Trigger.MANUAL, claimed_at=now,
        started_at=now - seconds * SECOND, finished_at=now,
    )  # fmt: skip


def shown(client: Client, run: Run) -> dict[str, str]:
    """The note below the bar on the job's page, and in what refreshes it."""
    notes = {}
    answers = {
        "live list": client.get(reverse("admin:chroniker_job_live"), {"ids": str(run.job_id)}),
    }
    for place, answer in answers.items():
        cells: dict[str, Any] = answer.json()["cells"]
        (notes[place],) = (cell["note"] for name, cell in cells.items() if name.endswith("-progress"))
    return notes


def _note(html: str) -> str:
    found = re.search(r'-progress" data-kind="">.*?<small data-part="note">(.*?)</small>', html, re.DOTALL)
    assert found, html
    return found[1]


def test_list_and_page_show_percent_and_a_bar(admin: Client) -> None:
    run = a_running_run(since=130)
    html = admin.get(LIST).content.decode()
    assert "13 of 77" in html and "left</span>" in html
    assert f'<progress max="100" value="16" aria-label="Progress of {run.job}">' in html


def test_list_and_page_show_rate_and_estimated_end_of_this_run(admin: Client) -> None:
    for place, note in shown(admin, a_running_run(since=130)).items():
        assert re.fullmatch(r"[\d.]+ per minute: done in 1[01].minutes \(.*\)\.", note), (place, note)


def test_list_and_page_show_the_estimated_end_by_past_runs(admin: Client) -> None:
    for place, note in shown(admin, a_running_run(since=60, past=7200)).items():
        assert re.search(r"Past runs took 2 h 0 min: done in 1.hour \(.*\)\.$", note), (place, note)


def test_without_progress_the_estimate_is_by_past_runs(admin: Client) -> None:
    for place, note in shown(admin, a_running_run(since=60, past=7200, progress=None)).items():
        assert note.startswith("Past runs took 2 h 0 min: done in"), (place, note)


def test_a_run_that_is_longer_than_past_runs_shows_the_difference(admin: Client) -> None:
    for place, note in shown(admin, a_running_run(since=7200, past=3600, progress=None)).items():
        assert note == "Past runs took 1 h 0 min; this one has taken 1 h 0 min longer.", place


def test_an_ended_run_shows_its_rate_and_no_estimate(admin: Client) -> None:
    run = a_running_run(since=130, past=60)
    lease = Lease.objects.get(pk=run.pk)
    assert lease.nonce
    lifecycle.finish(run.pk, run.token, lease.nonce, Outcome(Status.SUCCEEDED, progress=(77, 77)))
    html = admin.get(reverse("admin:chroniker_run_change", args=[run.pk]), {"_live": ""}).json()["html"]["run-progress"]
    assert re.search(r"77 of 77 \(100 %\), [\d.]+ per minute<", html) and "ends" not in html


def test_past_durations_of_all_rows_are_one_statement(admin: Client) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert admin.get(LIST).status_code == 200
        return len(queries)

    a_running_run(since=10, past=20)
    statements()  # content types are cached from now on
    few = statements()
    for _ in range(20):
        a_running_run(since=10, past=20)
    assert statements() == few


PACES = {
    "by the second": (10, 10_000, 1000, "100 per second: done in 1\u00a0minute (12:01:30)."),
    "by the minute": (60, 77, 6, "6 per minute: done in 11\u00a0minutes (12:11:50)."),
    "by the hour": (3600, 4, 2, "2 per hour: done in 1\u00a0hour (13:00:00)."),
    "by the day, on another day": (86400 // 2, 3, 1, "2 per day: done in 1\u00a0day (2030-01-02 12:00:00)."),
    "done": (10, 20, 20, "2 per second; all parts are done."),
    "more than done": (10, 20, 40, "4 per second; all parts are done."),
    "no total": (10, 0, 40, "4 per second."),
    "very fast": (1, 10**9, 123_456_789, "123456789 per second: done in 7 s (12:00:07)."),
    "nothing done yet": (10, 77, 0, ""),
}


@pytest.mark.parametrize("what", PACES)
def test_a_rate_is_shown_in_a_unit_in_which_it_is_at_least_one(what: str) -> None:
    seconds, total, done, expected = PACES[what]
    run = Run(started_at=NOW - seconds * SECOND, total_parts=total, total_parts_complete=done)
    assert RunProgress(run, run, NOW).cell().note == expected
