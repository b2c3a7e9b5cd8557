"""``manage.py alerts``: the list, and mutes."""

from __future__ import annotations

import datetime as dt
import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from chroniker.clock.database_clock import database_now
from chroniker.models import Action, Alert, AlertKind, AlertMute, AuditEntry, Group, Job, Switch
from chroniker.models.alert import alert_scope_of_job
from tests.support.factories import a_job

pytestmark = pytest.mark.django_db


def run(*words: str) -> str:
    out = io.StringIO()
    call_command("alerts", *words, stdout=out, skip_checks=True)
    return out.getvalue()


def an_alert(job: Job, **fields: Any) -> Alert:
    now = database_now()
    values = {"kind": AlertKind.SLOW, "key": "x", "raised_at": now, "reported_at": now, "args": {"token": 7}, **fields}
    return Alert.objects.create(scope=alert_scope_of_job(job.pk), job=job, **values)


def test_open_alerts_are_listed() -> None:
    a, b = a_job(name="report"), a_job(name="clean", group=Group.objects.create(name="night"))
    an_alert(a)
    an_alert(b, ended_at=database_now(), key="y")
    muted = an_alert(b, kind=AlertKind.LATE, reported_at=None)
    assert "report" in run("--open") and "ended" in run()
    assert len(run("--open").splitlines()) == 3 and len(run().splitlines()) == 4
    assert "(muted)" in run("--open", "--group", "night") and "report" not in run("--group", "night")
    assert run("--open", "--job", "clean", "--json").count("\n") == 1
    (line,) = run("--open", "--job", "clean", "--json").splitlines()
    found = json.loads(line)
    assert found["job"] == {"id": b.pk, "name": "clean"} and found["kind"] == "late"
    assert found["id"] == str(muted.pk) and found["reported_at"] is None and found["ended_at"] is None
    assert len(run("--json", "--limit", "1").splitlines()) == 1


def test_a_job_is_muted_and_the_audit_names_the_command() -> None:
    job = a_job(name="report")
    assert "Muted until" in run("--job", "report", "--mute", "2h", "--reason", "disk")
    mute = AlertMute.objects.get()
    assert (mute.job, mute.group, mute.reason) == (job, None, "disk")
    assert mute.muted_by.endswith(" (manage.py alerts)")
    assert dt.timedelta(minutes=119) < mute.ends_at - mute.starts_at <= dt.timedelta(hours=2)
    entry = AuditEntry.objects.entries_of_row(job).get()
    assert entry.action == Action.MUTED and "disk" in str(entry)
    assert "has ended" in run("--job", "report", "--unmute")
    mute.refresh_from_db()
    assert mute.ends_at <= database_now()
    with pytest.raises(SystemExit):
        run("--job", "report", "--unmute")


def test_what_has_no_mute_is_named_together_with_the_mutes_that_there_are() -> None:
    a_job(name="nightly report")
    Group.objects.create(name="night")
    run("--job", "nightly report", "--mute", "2126-03-29T02:00")
    run("--group", "night", "--mute", "2126-03-29T04:00")
    out = io.StringIO()
    with pytest.raises(SystemExit):
        call_command("alerts", "--unmute", stdout=out)
    assert out.getvalue() == (
        "There was no mute of all jobs. Other mutes: --group night (until 2126-03-29 04:00:00), "
        "--job 'nightly report' (until 2126-03-29 02:00:00).\n"
    )
    run("--group", "night", "--unmute")
    out = io.StringIO()
    with pytest.raises(SystemExit):
        call_command("alerts", "--group", "night", "--unmute", stdout=out)
    assert out.getvalue().startswith("There was no mute of the group “night”. Other mutes: --job")


def test_a_maintenance_window_of_all_jobs() -> None:
    assert "Muted from" in run("--mute", "1d", "--from", "2126-03-29T02:00")
    mute = AlertMute.objects.get()
    assert (mute.job, mute.group) == (None, None) and mute.ends_at - mute.starts_at == dt.timedelta(days=1)
    assert AuditEntry.objects.entries_of_row(Switch(pk=1)).get().action == Action.MUTED
    run("--unmute")
    assert not AlertMute.objects.exists()


@pytest.mark.parametrize(
    "words",
    [
        *(("--mute", "soon"), ("--mute", "2026-01-01T00:00"), ("--mute", "0m")),
        ("--mute", "99999d", "--from", "9990-01-01T00:00"),
    ],
)
def test_a_time_without_sense_is_refused(words: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        run(*words)
    assert not AlertMute.objects.exists()
