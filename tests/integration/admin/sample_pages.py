"""One row of each model that the admin shows, and the pages that show it."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db.models import Model

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.lifecycle import Outcome
from chroniker.models import (
    Alert,
    AlertMute,
    Blackout,
    Calendar,
    Channel,
    Group,
    Host,
    Job,
    Monitor,
    Outbox,
    Run,
    Status,
)
from chroniker.scheduler.manual_runs import run_now
from tests.support.factories import a_booked_job, a_dependency, started

#: Every model that the admin registers, by the name in its addresses.
MODELS: dict[str, type[Model]] = {
    "alert": Alert, "alertmute": AlertMute, "calendar": Calendar, "channel": Channel, "group": Group,
    "host": Host, "job": Job, "monitor": Monitor, "outbox": Outbox, "run": Run,
}  # fmt: skip
#: Pages of one row, below its address.
PAGES = {
    "job": (
        "change/",
        "delete/",
        "history/",
        "schedule/",
        "run-with/",
        "status/",
        "runs/",
        "code/",
        "run/",
        "stop/",
        "enable/",
        "disable/",
        "resume/",
        "backfill/",
        "discard/",
        "retry-now/",
        "cancel-retry/",
    ),
    "run": ("change/", "delete/", "history/", "stop/", "again/", "log.txt", "output/?before=1.1.1"),
    "channel": ("change/", "delete/", "history/", "test/"),
    "group": ("change/", "delete/", "history/", "pause/"),
    "monitor": ("change/",),
}
#: Pages of a model, below its address.
LISTS = {
    "job": (
        "",
        "add/",
        "now/",
        "pause/",
        "pulse/",
        "timeline/",
        "graph/",
        "code/",
        "import-crontab/",
        "preview/?frequency=CRON",
        "command/?name=noop",
    ),
    "run": ("", "reliability/"),
    "monitor": ("", "add/"),
}


def one_of_each() -> dict[str, Any]:
    """A job with everything that its page may link to, and one row of each other model."""
    now = database_now()
    calendar, group = Calendar.objects.create(name="holidays"), Group.objects.create(name="nightly", limit=2)
    Blackout.objects.create(calendar=calendar, name="freeze", starts_at=now, ends_at=now + dt.timedelta(days=1))
    channel = Channel.objects.create(name="ops", kind="SLACK", target="https://hooks.slack.com/x")
    host = Host.objects.create(name="worker-1", last_seen=now)
    job = a_booked_job(name="report", calendar=calendar, group=group, is_monitor=True)
    ended = run_now(job, requested_by="a test")
    lifecycle.finish(ended.pk, ended.token, started(ended), Outcome(Status.FAILED))
    run = run_now(job, requested_by="a test")
    started(run)
    a_dependency(job, a_booked_job(name="load"), wait_for_success=True)
    a_dependency(a_booked_job(name="clean"), job, wait_for_success=True)
    message = Outbox.objects.create(run=ended, channel="mail:1", payload={"to": "a@example.com"}, send_at=now)
    alert = Alert.objects.create(scope="x", job=job, kind="slow", key="x", raised_at=now, reported_at=now)
    day = now.replace(hour=0, minute=0, second=0, microsecond=0)
    mute = AlertMute.objects.create(job=job, starts_at=day, ends_at=day + dt.timedelta(days=1), muted_by="anna")
    return {
        "alert": alert, "alertmute": mute, "calendar": calendar, "channel": channel, "group": group,
        "host": host, "job": job, "monitor": job, "outbox": message, "run": run,
    }  # fmt: skip


def addresses(site: str, name: str, row: Model) -> list[str]:
    """Every page of the model ``name`` on ``site``."""
    base = f"/{site}/chroniker/{name}/"
    lists = [base + page for page in LISTS.get(name, ("", "add/"))]
    return lists + [f"{base}{row.pk}/{page}" for page in PAGES.get(name, ("change/", "delete/", "history/"))]
