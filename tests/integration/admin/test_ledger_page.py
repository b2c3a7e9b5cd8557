"""The page about reliability."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from django.test import Client
from django.urls import reverse

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.models import EventKind, Job, JobState, Run, Status, Trigger
from chroniker.schedule import next_after
from tests.support.factories import a_booked_job

MINUTE = dt.timedelta(minutes=1)
FLEET = "/admin/chroniker/run/reliability/"


def address(job: Job, **query: str) -> str:
    return reverse("admin:chroniker_job_schedule", args=[job.pk], query=query)


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


def test_detected_problems_are_counted(admin: Client) -> None:
    a_history(Status.SUCCEEDED)
    run = Run.objects.get()
    for _each in range(3):
        lifecycle.note(run.pk, EventKind.REFUSED_DELIVERY)
    response: Any = admin.get(FLEET)
    rows_by_key = {row.key: row for row in response.context_data["rows"]}
    assert rows_by_key["deliveries"].measured.counts == (3, 3, 3)
    assert rows_by_key["late_reports"].measured.counts == (0, 0, 0)


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


def test_the_lists_link_to_the_figures(admin: Client, staff: Callable[..., Client]) -> None:
    for name in ("job", "run", "host"):
        assert FLEET in admin.get(f"/admin/chroniker/{name}/").content.decode()
    assert FLEET not in staff("view_job").get("/admin/chroniker/job/").content.decode()
