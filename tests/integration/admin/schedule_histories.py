"""A job with a history of scheduled times, and the page that shows it."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

from django.test import Client
from django.urls import reverse

from chroniker.clock.database_clock import database_now
from chroniker.models import Job, JobState, Run, Status, Trigger
from chroniker.schedule import next_instant_after
from tests.support.factories import a_booked_job

MINUTE = dt.timedelta(minutes=1)


def address(job: Job, **query: str) -> str:
    return reverse("admin:chroniker_job_schedule", args=[job.pk], query=query)


def page(client: Client, job: Job, **query: str) -> Any:
    response = client.get(address(job, **query))
    assert response.status_code == 200
    return response


def rows(client: Client, job: Job, **query: str) -> list[list[str]]:
    """The texts of the table: scheduled time, result, run, started, delay, reason."""
    html = page(client, job, **query).content.decode()
    found = re.findall(r"<tr data-row>(.*?)</tr>", html, re.DOTALL)
    return [
        [" ".join(re.sub(r"<.*?>", " ", cell).split()) for cell in re.split(r"</t[hd]>", row)[:-1]] for row in found
    ]


def a_history(*ends: Status, step: int = 5, **fields: Any) -> tuple[Job, dt.datetime]:
    """A job of every five minutes whose latest scheduled times ended with these results."""
    width = step * MINUTE
    now = database_now().replace(second=0, microsecond=0)
    since = now - (now.minute % step) * MINUTE - (len(ends) + 1) * width
    job = a_booked_job(since=since, **{"cron": f"*/{step} * * * *", **fields})
    for token, end in enumerate(ends, 1):
        instant = since + token * width
        ran = end != Status.SKIPPED
        Run.objects.create(
            job=job, token=token, status=end, trigger=Trigger.SCHEDULE, scheduled_for=instant, covered_until=instant,
            claimed_at=instant, started_at=instant + dt.timedelta(seconds=3) if ran else None, host="worker-1",
            finished_at=instant + dt.timedelta(seconds=9), code="" if ran else "OVERLAP",
        )  # fmt: skip
        following = {
            "next_instant": next_instant_after(job.spec, instant),
            "next_run": next_instant_after(job.spec, instant),
        }
        JobState.objects.filter(pk=job.pk).update(last_token=token, covered_until=instant, **following)
    return job, since
