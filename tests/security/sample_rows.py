"""One row for each page of the admin, users with different permissions, and a snapshot of the tables."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.utils.timezone import now

from chroniker.models import Alert, AlertMute, Blackout, Calendar, Channel, Group, Host, Job, Outbox, Run, Status
from chroniker.scheduler.manual_runs import run_now
from tests.support.ended_runs import ended
from tests.support.factories import a_booked_job

_MODELS = (
    "job", "jobdependency", "run", "host", "group", "calendar", "blackout", "outbox", "channel", "alertmute",
)  # fmt: skip


def _each(verb: str) -> tuple[str, ...]:
    return tuple(f"{verb}_{model}" for model in _MODELS)


#: Users and their permissions; ``None``: not logged in, "all": a superuser.
PEOPLE: dict[str, Any] = {
    "anonymous": None,
    "nobody": (),
    "viewer": (*_each("view"), "view_monitor", "view_alert"),
    "runner": ("run_job",),
    "stopper": ("stop_job",),
    "pauser": ("pause_jobs",),
    "adder": _each("add"),
    "changer": _each("change"),
    "deleter": _each("delete"),
    "watchman": ("view_job", "view_run", "stop_job"),
    "operator": ("change_job", "run_job"),
    "root": "all",
}


#: Session cookies of people who stay logged in from test to test.
logged_in: dict[str, str] = {}


def browser(person: str, *, strict: bool = False) -> Client:
    """A client logged in as this person; ``strict``: with the CSRF check, as in a real browser."""
    client, rights = Client(enforce_csrf_checks=strict), PEOPLE[person]
    if rights is None:
        return client
    if person in logged_in:
        client.cookies[settings.SESSION_COOKIE_NAME] = logged_in[person]
        return client
    user, made = User.objects.get_or_create(
        username=person, defaults={"is_staff": True, "is_superuser": rights == "all"}
    )
    if made and rights != "all":
        found = Permission.objects.filter(content_type__app_label="chroniker", codename__in=rights)
        assert len(found) == len(rights), set(rights) - {each.codename for each in found}
        user.user_permissions.set(found)
    client.force_login(user)
    return client


@dataclass(frozen=True)
class SampleRows:
    """``job`` has an open run; ``idle`` has none and is disabled, so that it may be deleted and enabled.

    ``ended`` is a closed run of ``watch``.
    """

    job: Job
    idle: Job
    watch: Job
    run: Run
    ended: Run
    group: Group
    calendar: Calendar
    channel: Channel
    host: Host
    outbox: Outbox
    alert: Alert
    mute: AlertMute

    @classmethod
    def make(cls) -> SampleRows:
        group, calendar = Group.objects.create(name="night", limit=2), Calendar.objects.create(name="holidays")
        Blackout.objects.create(calendar=calendar, name="one", starts_at=now(), ends_at=now() + dt.timedelta(days=1))
        channel = Channel.objects.create(name="ops", kind="MAIL", target="ops@example.com")
        host = Host.objects.create(name="worker-1", last_seen=now())
        job = a_booked_job(name="busy", group=group)
        idle = a_booked_job(name="idle", enabled=False)
        watch = a_booked_job(name="watch", is_monitor=True, command="check_monitor", args="--model auth.User")
        run, last = run_now(job, requested_by="a test"), ended(watch, Status.FAILED)
        outbox = Outbox.objects.create(run=run, channel="mail:1", payload={"to": "somebody"}, sent_at=now())
        alert = Alert.objects.create(scope="x", job=watch, kind="slow", key="x", raised_at=now(), reported_at=now())
        mute = AlertMute.objects.create(job=watch, starts_at=now(), ends_at=now() + dt.timedelta(days=1))
        return cls(job, idle, watch, run, last, group, calendar, channel, host, outbox, alert, mute)


def everything() -> dict[str, list[str]]:
    """All rows of all tables of this app, and the admin's log. Plain SQL: it is called for each person and page."""
    models: list[type[Model]] = [*apps.get_app_config("chroniker").get_models(include_auto_created=True), LogEntry]
    rows = {}
    with connection.cursor() as cursor:
        for table in sorted({model._meta.db_table for model in models}):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            rows[table] = sorted(map(repr, cursor.fetchall()))
    return rows
