"""Progress on the refreshed pages: share, rate, and the estimated end by the rate and by past runs."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.lifecycle import Outcome
from chroniker.models import Job, JobState, Lease, Run, Status, Trigger
from chroniker.scheduler.manual_runs import run_now
from tests.support.factories import a_booked_job, started

pytestmark = pytest.mark.django_db
LIST = "/admin/chroniker/job/"
SECOND = dt.timedelta(seconds=1)


def a_running_run(*, since: int, progress: tuple[int, int] | None = (77, 13), past: int | None = None) -> Run:
    """A run that started ``since`` seconds ago; ``past`` is the duration of each of three earlier runs."""
    job, now = a_booked_job(cron="0 0 1 1 *"), database_now()
    if past is not None:
        for token in (1, 2, 3):
            a_success(job, token, past, now)
        JobState.objects.filter(pk=job.pk).update(last_token=3)
    run = run_now(job, requested_by="a test")
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


def fragment(client: Client, address: str, name: str) -> str:
    """A part of the page as its refresh answers it, without tags."""
    html: str = client.get(address, {"_live": ""}).json()["html"][name]
    return re.sub(r"<[^>]*>", " ", html)


def row(client: Client) -> str:
    """The list of jobs."""
    return fragment(client, LIST, "jobs-table")


def sentence(client: Client, run: Run) -> str:
    """The sentence of the job's page Status."""
    return fragment(client, reverse("admin:chroniker_job_status", args=[run.job_id]), "job-sentence")


def page(client: Client, run: Run) -> str:
    """The progress on the run's page."""
    return fragment(client, reverse("admin:chroniker_run_change", args=[run.pk]), "run-progress")


def test_list_and_page_show_percent_and_a_bar(admin: Client) -> None:
    run = a_running_run(since=130)
    html = admin.get(LIST).content.decode()
    assert "13 of 77" in html and "left</span>" in html
    assert f'<progress max="100" value="16" aria-label="Progress of {run.job}">' in html
    assert "13 of 77 (16.9 %)" in page(admin, run)


def test_list_and_page_show_rate_and_estimated_end_of_this_run(admin: Client) -> None:
    run = a_running_run(since=130)
    assert re.search(r"1[01] min left", row(admin))
    assert re.search(r"13 of 77, about 1[01] min left \(.*\)", sentence(admin, run))
    assert re.search(r"[\d.]+ per minute\s+ends in 1[01] min, ", page(admin, run))


def test_list_and_page_show_the_estimated_end_by_past_runs(admin: Client) -> None:
    run = a_running_run(since=60, past=7200, progress=None)
    assert "usually 2 h" in row(admin)
    assert re.search(r"about 1 h 59 min left \(.*\)", sentence(admin, run))


def test_a_run_without_progress_shows_the_share_of_the_usual_duration(admin: Client) -> None:
    a_running_run(since=3600, past=7200, progress=None)
    assert 'value="50"' in admin.get(LIST).content.decode()


def test_a_run_that_is_longer_than_past_runs_shows_no_estimate(admin: Client) -> None:
    run = a_running_run(since=7200, past=3600, progress=None)
    assert "usually 1 h" in row(admin) and 'value="99"' in admin.get(LIST).content.decode()
    assert "has been running for 2 h" in sentence(admin, run) and "left" not in sentence(admin, run)


@pytest.mark.parametrize(("total", "done", "text"), [(20, 20, "20 of 20"), (20, 40, "20 of 20 (100 %)"), (0, 40, "")])
def test_impossible_progress_does_not_break_a_page(admin: Client, total: int, done: int, text: str) -> None:
    run = a_running_run(since=10, progress=(total, done))
    assert text in page(admin, run)
    assert "left" not in sentence(admin, run) and "left" not in row(admin)


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
