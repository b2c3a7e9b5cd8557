"""The sentence of each end of a run, and its notes about slowness and about the next attempt."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from chroniker.clock.database_clock import database_now
from chroniker.models import JobState, Run, Status, Trigger
from chroniker.reasons import Code
from tests.integration.admin.shown_runs import a_running_run, fragments
from tests.support.factories import a_booked_job

HOUR = dt.timedelta(hours=1)


def say(client: Client, run: Run) -> str:
    return " ".join(re.sub(r"<.*?>", " ", fragments(client, run)["run-say"]).split())


def an_ended_run(status: Status, *, ran: bool = True, **fields: object) -> Run:
    """It ran for an hour on worker-1."""
    now = database_now()
    times = {"claimed_at": now - HOUR, "started_at": now - HOUR if ran else None, "finished_at": now}
    values = {"trigger": Trigger.MANUAL, "host": "worker-1", "token": 1, "chain": 1, **times, **fields}
    job = a_booked_job(cron="0 0 1 1 *", max_retries=2)
    JobState.objects.filter(pk=job.pk).update(last_token=1)
    return Run.objects.create(job=job, status=status, **values)


@pytest.mark.parametrize(
    ("status", "fields", "sentence"),
    [
        (Status.SKIPPED, {"ran": False, "code": Code.OVERLAP}, "It did not run. The job was still running."),
        (Status.LOST, {"reason_text": "its host is gone."}, "It was lost. Its host is gone."),
        (Status.STOPPED, {"reason_text": "it was replaced."}, "Stopped after 1 h on worker-1: it was replaced."),
        (Status.FAILED, {"ran": False, "reason_text": "no row."}, "It failed: no row."),
        (Status.SUCCEEDED, {"ran": False}, "It succeeded."),
    ],
)
def test_each_end_has_a_sentence(admin: Client, status: Status, fields: dict[str, Any], sentence: str) -> None:
    assert say(admin, an_ended_run(status, **fields)).startswith(sentence)


@pytest.mark.parametrize(
    ("status", "end"),
    [
        (Status.SUCCEEDED, "succeeded."),
        (Status.FAILED, "failed too."),
        (Status.TIMED_OUT, "timed out."),
        (Status.LOST, "was lost."),
        (Status.STOPPED, "was stopped."),
        (Status.RUNNING, "is running."),
        (Status.CLAIMED, "is queued."),
    ],
)
def test_a_failed_attempt_names_its_retry_and_what_became_of_it(admin: Client, status: Status, end: str) -> None:
    run, now = an_ended_run(Status.FAILED, exit_code=1), database_now()
    assert "The retry" not in say(admin, run)
    finished = None if status in (Status.RUNNING, Status.CLAIMED) else now
    retry = Run.objects.create(
        job=run.job, token=2, chain=1, attempt=2, trigger=Trigger.RETRY, status=status, nonce=run.pk,
        claimed_at=now, started_at=now, finished_at=finished,
    )  # fmt: skip
    assert f"Attempt 1 of 3. The retry, run 2 , {end}" in say(admin, run)
    assert f'href="{reverse("admin:chroniker_run_change", args=[retry.pk])}">run 2<' in fragments(admin, run)["run-say"]


def test_a_running_run_says_that_it_is_slow(admin: Client) -> None:
    run = a_running_run()
    JobState.objects.filter(pk=run.job_id).update(p50=60, p95=600)
    assert "It is slower than" not in say(admin, run)
    Run.objects.filter(pk=run.pk).update(started_at=database_now() - HOUR)
    assert "It is slower than 95 of 100 runs of this job." in say(admin, run)
