"""Hostile names, reasons and output are shown as text in a real browser, under a strict policy."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from django.contrib.auth.models import User
from django.urls import reverse
from django.utils.timezone import now

from chroniker import lifecycle
from chroniker.eligibility import pauses
from chroniker.models import Calendar, EventKind, Group, Host, Job, LogChunk, Outbox, Run
from chroniker.scheduler.manual_runs import run_now
from tests.support.factories import a_booked_job, a_dependency, started

if TYPE_CHECKING:
    from playwright.sync_api import Page

EVIL = "\"'></script><script>alert(1)</script><img src=x onerror=alert(1)><svg onload=alert(1)>{{7*7}}\u202e"


@pytest.fixture
def run(dummy: None) -> Run:
    """A running run of a monitor, in a database where every text that a person or a command can write is hostile."""
    group, calendar = Group.objects.create(name=f"g{EVIL}"), Calendar.objects.create(name=f"c{EVIL}")
    Host.objects.create(name=f"h{EVIL}", last_seen=now())
    job = a_booked_job(
        name=f"n{EVIL}"[:200], args=EVIL, environment=f"A={EVIL}", group=group, calendar=calendar, is_monitor=True,
        monitor_url="https://example.com/", monitor_description=EVIL, hostname=f"h{EVIL}",
    )  # fmt: skip
    Job.objects.filter(pk=job.pk).update(monitor_url="javascript:alert(1)", managed_by="")
    a_dependency(job, a_booked_job(name=f"other {EVIL}"))
    run = run_now(job, requested_by=EVIL)
    lifecycle.renew(run.pk, run.token, started(run, host=f"h{EVIL}"), (77, 13))
    lifecycle.add_run_event(run.pk, EventKind.NOTE, EVIL)
    Run.objects.filter(pk=run.pk).update(reason_text=EVIL, args=EVIL)
    for stream in (0, 1, 2):
        LogChunk.objects.create(run=run, stream=stream, seq=0, text=f"{EVIL}\x1b[31mx\n", written_at=now())
    Outbox.objects.create(run=run, channel="mail:1", payload={"to": EVIL}, error=EVIL, send_at=now())
    pauses.pause(EVIL, EVIL, group)
    pauses.pause(EVIL, EVIL)
    return run


def addresses(run: Run) -> list[str]:
    job, group = run.job, Group.objects.get()
    names = ("job", "run", "monitor", "host", "group", "calendar", "outbox")
    return [
        *(reverse(f"admin:chroniker_{name}_changelist") for name in names),
        reverse("admin:chroniker_job_change", args=[job.pk]),
        f"{reverse('admin:chroniker_job_add')}?clone={job.pk}",
        *(reverse(f"admin:chroniker_job_{name}", args=[job.pk]) for name in ("run_with", "delete", "history")),
        reverse("admin:chroniker_job_pause"),
        reverse("admin:chroniker_run_change", args=[run.pk]),
        reverse("admin:chroniker_group_change", args=[group.pk]),
        reverse("admin:chroniker_group_pause", args=[group.pk]),
        reverse("admin:chroniker_calendar_change", args=[Calendar.objects.get().pk]),
        reverse("admin:chroniker_host_change", args=[Host.objects.get().pk]),
        reverse("admin:chroniker_outbox_change", args=[Outbox.objects.get().pk]),
        "/admin/",
    ]


def test_no_page_executes_hostile_text(run: Run, open_page: Callable[..., Page], complaints: list[str]) -> None:
    dialogs: list[str] = []
    page = open_page("/admin/")
    page.on("dialog", lambda dialog: dialogs.append(page.url))
    page.on("dialog", lambda dialog: dialog.dismiss())
    for address in addresses(run):
        page.goto(address)
        page.wait_for_load_state("networkidle")
        assert page.locator("img[src='x'], svg[onload]").count() == 0, address
        assert page.locator("a[href^='javascript']").count() == 0, address
        assert dialogs == [], address
        complaints_left = [text for text in complaints if "404" not in text]  # the browser asks for a favicon
        assert complaints_left == [], address
    assert User.objects.exists()


def test_the_name_of_a_downloaded_file_is_letters_and_digits(run: Run, open_page: Callable[..., Page]) -> None:
    page = open_page(reverse("admin:chroniker_run_change", args=[run.pk]))
    Job.objects.filter(pk=run.job_id).update(name='../../etc/passwd"; filename="x.html\r\nX: <b>')
    with page.expect_download() as started_one:
        page.evaluate("address => { window.location = address; }", reverse("admin:chroniker_run_log", args=[run.pk]))
    name = started_one.value.suggested_filename
    assert name.endswith("-1.txt") and set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-._") and "/" not in name
