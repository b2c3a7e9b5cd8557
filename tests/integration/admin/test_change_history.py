"""The history of a job, group or calendar: old and new value of each changed field."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from chroniker.models import Blackout, Calendar, Group, Job
from tests.support.admin_pages import fields, open_form, url
from tests.support.factories import a_booked_job, a_dependency


def saved(client: Client, address: str, form: dict[str, Any]) -> str:
    """The change message of this post."""
    assert client.post(address, form).status_code == 302
    return LogEntry.objects.latest("pk").get_change_message()


def changed(client: Client, job: Job, **changes: Any) -> str:
    return saved(client, url(job), {**open_form(client, job), **changes})


def edited(client: Client, row: Any, **changes: Any) -> str:
    address = reverse(f"admin:chroniker_{row._meta.model_name}_change", args=[row.pk])
    form = fields(client.get(address), f"{row._meta.model_name}_form")
    return saved(client, address, {**form, **changes})


def test_the_history_has_old_and_new_values(admin: Client) -> None:
    job = a_booked_job(cron="0 3 * * *")
    message = changed(admin, job, cron="0 4 * * *")
    assert message == "Changed Cron expression from “0 3 * * *” to “0 4 * * *”."
    history = admin.get(reverse("admin:chroniker_job_history", args=[job.pk])).content.decode()
    assert message in history


def test_values_are_shown_as_the_form_shows_them(admin: Client) -> None:
    night, user = Group.objects.create(name="night"), User.objects.create_user("ann")
    job = a_booked_job(group=night, overlap="WAIT", timezone="Europe/Paris")
    day = Group.objects.create(name="day")
    form = {"group": str(day.pk), "overlap": "SKIP", "retry_on_lost": "on", "subscribers": [str(user.pk)]}
    message = changed(admin, job, **form, starts_at_0="2030-01-02", starts_at_1="03:04:05")
    assert "Group from “night” to “day”" in message
    assert f"Overlap from “{job.get_overlap_display()}” to “{Job(overlap='SKIP').get_overlap_display()}”" in message
    assert "from “No” to “Yes”" in message
    assert "from “–” to “ann”" in message  # noqa: RUF001  a dash
    assert "to “2030-01-02 03:04:05”" in message


def test_long_values_are_cut(admin: Client) -> None:
    job = a_booked_job(command="", raw_command="echo " + "a" * 300)
    message = changed(admin, job, raw_command="echo b")
    assert f"from “echo {'a' * 194}…” to “echo b”" in message


def test_secrets_and_the_values_of_variables_are_masked(admin: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_KEY", "hunter2-hunter2")
    job = a_booked_job(
        command="", raw_command="echo hunter2-hunter2", secrets="KEY=env:SHOP_KEY", environment="A=topsecret"
    )
    changes = {"secrets": "KEY=env:OTHER_KEY", "environment": "A=other\nB=further", "raw_command": "echo"}
    changed(admin, job, **changes)
    stored = json.dumps(json.loads(LogEntry.objects.latest("pk").change_message), ensure_ascii=False)
    assert "A=••••••" in stored and "B=••••••" in stored and "from “echo ••••••” to “echo”" in stored
    assert not [
        word for word in ("hunter2", "topsecret", "other", "further", "SHOP_KEY", "OTHER_KEY") if word in stored
    ]


def test_a_changed_dependency_has_its_values(admin: Client) -> None:
    job, first, second = (a_booked_job(name=name) for name in ("job", "first", "second"))
    a_dependency(job, first, wait_for_success=True)
    message = changed(admin, job, **{"dependencies-0-dependee": str(second.pk)})
    assert "from “first” to “second” for" in message


def test_groups_and_calendars_have_values_too(admin: Client) -> None:
    group, calendar = Group.objects.create(name="night", limit=2), Calendar.objects.create(name="year")
    assert edited(admin, group, limit="") == "Changed Limit from “2” to “–”."  # noqa: RUF001  a dash
    start = dt.datetime(2030, 1, 2, 3, tzinfo=dt.UTC)
    Blackout.objects.create(calendar=calendar, name="party", starts_at=start, ends_at=start + dt.timedelta(hours=1))
    message = edited(admin, calendar, name="all year", **{"blackouts-0-name": "feast"})
    assert "Changed Name from “year” to “all year”." in message
    assert "Changed Name from “party” to “feast” for" in message


def test_a_new_job_is_added_without_values(admin: Client) -> None:
    form = {**open_form(admin), "name": "backup", "command": "noop", "cron": "0 3 * * *"}
    assert saved(admin, reverse("admin:chroniker_job_add"), form) == "Added."
