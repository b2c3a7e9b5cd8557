"""The page that pauses all jobs or a group: it shows what still runs, and until when."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from django.test import Client

from chroniker.clock.database_clock import database_now
from chroniker.models import Group, JobState, Lease, Run
from chroniker.scheduler.manual_runs import run_now
from tests.support.factories import a_booked_job, started

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("dummy")]

PAUSE = "/admin/chroniker/job/pause/"


def open_work(admin: Client, address: str = PAUSE) -> str:
    found = re.search(r'<p class="ops-say"[^>]*><b>(.*?)</b></p>', admin.get(address).content.decode())
    assert found is not None
    return found[1]


def a_running_job(name: str, *, minutes: int, usual: float | None = None, group: Group | None = None) -> Run:
    job = a_booked_job(name=name, cron="0 0 1 1 *", group=group)
    JobState.objects.filter(pk=job.pk).update(p50=usual)
    run = run_now(job, by="a test")
    started(run)
    Run.objects.filter(pk=run.pk).update(started_at=database_now() - minutes * dt.timedelta(minutes=1))
    return run


def test_nothing_runs(admin: Client) -> None:
    assert open_work(admin) == "No run is active."


def test_one_run_that_probably_ends(admin: Client) -> None:
    a_running_job("short", minutes=1, usual=600)
    assert re.fullmatch(r"1 run is active. It probably ends in [89] min, at \d\d:\d\d.", open_work(admin))


def test_the_last_one_is_named_and_unknown_ends_and_queued_runs_are_counted(admin: Client) -> None:
    a_running_job("short", minutes=1, usual=600)
    by_progress = a_running_job("long", minutes=10, usual=60)
    Lease.objects.filter(run=by_progress).update(total_parts=100, total_parts_complete=10)
    a_running_job("late", minutes=5, usual=60)
    a_running_job("new", minutes=5)
    run_now(a_booked_job(name="queued", cron="0 0 1 1 *"), by="a test")
    text = open_work(admin)
    assert text.startswith("4 runs are active. The last of them, long, probably ends in 1 h, at ")
    assert text.endswith("The ends of 2 are unknown. 1 queued run starts in spite of a pause.")


def test_a_group_counts_its_own_runs(admin: Client) -> None:
    group = Group.objects.create(name="imports")
    a_running_job("theirs", minutes=1, usual=600, group=group)
    a_running_job("other", minutes=1, usual=600)
    assert open_work(admin, f"/admin/chroniker/group/{group.pk}/pause/").startswith("1 run is active.")
