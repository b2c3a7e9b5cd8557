"""Actions of commands and programs leave an entry that names who, and the pages show it."""

from __future__ import annotations

import datetime as dt
import io
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import translation

import chroniker
from chroniker.clock.database_clock import database_now
from chroniker.conf import settings
from chroniker.exceptions import ClaimRefused
from chroniker.models import AuditEntry, Group, Job, Run, Status, Switch, Trigger
from chroniker.models.audit import command_actor
from chroniker.scheduler import fleet_work
from tests.support.declared_app import Shop
from tests.support.factories import a_booked_job, a_job, started

pytestmark = pytest.mark.django_db


def manage(*words: str) -> None:
    call_command(*words, stdout=io.StringIO(), stderr=io.StringIO(), skip_checks=True)


def entries(row: Job | Group | Switch) -> list[tuple[str, str]]:
    return [(entry.actor, str(entry)) for entry in AuditEntry.objects.entries_of_row(row)]


def test_pause_and_resume_by_command(admin: Client) -> None:
    group = Group.objects.create(name="reports")
    manage("pause", "--reason", "a move")
    manage("pause", "--reason", "once more")  # changes nothing
    manage("resume")
    manage("resume")
    manage("pause", "--group", "reports")
    switch = Switch.objects.get()
    assert entries(switch) == [(command_actor("resume"), "Resumed."), (command_actor("pause"), "Paused. a move")]
    assert entries(group) == [(command_actor("pause"), "Paused.")]
    page = admin.get(reverse("admin:chroniker_job_pause")).content.decode()
    assert command_actor("pause") in page and "Paused. a move" in page
    history = admin.get(reverse("admin:chroniker_group_history", args=[group.pk])).content.decode()
    assert command_actor("pause") in history
    admin.post(reverse("admin:chroniker_group_pause", args=[group.pk]), {"resume": "1"})
    page = admin.get(reverse("admin:chroniker_group_pause", args=[group.pk])).content.decode()
    assert page.index("Resumed.") < page.index("Paused.")  # by a user, by the command


def test_run_and_stop_by_command(admin: Client) -> None:
    job = a_booked_job(name="night")
    manage("run_job", "night")  # its message would be sent after the transaction of this test
    with pytest.raises(SystemExit):
        manage("stop_job", "night", "--run", str(Run.objects.get().pk))  # the second finds no open run
    assert entries(job) == [
        (command_actor("stop_job"), "Stop requested for run 1."),
        (command_actor("run_job"), "Run 1 started manually."),
    ]
    history = admin.get(reverse("admin:chroniker_job_history", args=[job.pk])).content.decode()
    assert command_actor("stop_job") in history


def test_each_action_of_a_program_is_audited() -> None:
    job = a_booked_job()
    run = chroniker.run_now(job, "deploy", "--verbosity 2")
    started(run)
    with pytest.raises(ClaimRefused):
        chroniker.run_now(job, "deploy")
    assert chroniker.stop(run.pk, "deploy") and chroniker.stop(run.pk, "deploy")
    chroniker.pause("deploy", "a deploy")
    chroniker.resume("deploy")
    stopped, ran = entries(job)
    assert stopped == ("deploy", "Stop requested for run 1.")
    assert ran == ("deploy", "Run 1 started manually with the arguments: --verbosity 2")
    assert entries(Switch.objects.get()) == [("deploy", "Resumed."), ("deploy", "Paused. a deploy")]


def test_changes_by_a_synchronisation_without_values_of_the_environment(shop: Shop) -> None:
    source = 'night = chroniker.job(name="night", command="noop", cron="0 3 * * *"{})'
    shop.jobs(source.format(""))
    shop.sync()
    shop.sync()  # changes nothing
    shop.jobs(source.format(', environment="TOKEN=abc123", max_retries=2'))
    assert "abc123" not in shop.sync()
    shop.jobs("")
    shop.sync()
    actors, texts = zip(*entries(Job.objects.get()), strict=True)
    assert set(actors) == {command_actor("sync_jobs")}
    removed, updated, created = texts
    assert removed.startswith("Synchronised with the declaration in code: removed; disabled; no longer declared in")
    assert updated == ("Synchronised with the declaration in code: updated; environment: changed; max_retries: 0 → 2")
    assert created == "Synchronised with the declaration in code: created"


def test_an_import_is_audited_once(tmp_path: Path) -> None:
    crontab = tmp_path / "crontab"
    crontab.write_text("30 3 * * *  /usr/bin/backup\n")
    for words in (["--dry-run"], [], []):
        manage("import_crontab", str(crontab), "--timezone", "UTC", *words)
    assert entries(Job.objects.get()) == [(command_actor("import_crontab"), "Imported from another scheduler.")]


def test_a_text_is_in_the_language_of_the_reader_and_unknown_codes_are_shown() -> None:
    job = a_job()
    AuditEntry.objects.create(at=database_now(), actor="a", action="NEWER", kind="job", object_id=job.pk, args={"n": 1})
    assert str(AuditEntry.objects.get()) == "NEWER n=1"
    chroniker.pause("deploy")
    chroniker.resume("deploy")
    with translation.override("de"):
        assert str(AuditEntry.objects.latest("pk")) != "Resumed."


def test_an_entry_stays_when_its_job_is_deleted_and_is_kept_for_a_year() -> None:
    job = a_booked_job()
    chroniker.run_now(job, "deploy")
    Run.objects.all().delete()
    Job.objects.filter(pk=job.pk).delete()
    now = database_now()
    fleet_work.delete_old_records(now + dt.timedelta(days=364))
    assert AuditEntry.objects.exists()
    fleet_work.delete_old_records(now + dt.timedelta(days=366))
    assert not AuditEntry.objects.exists()


def test_a_drain_and_its_end_by_command(admin: Client) -> None:
    by = command_actor("drain")
    for words in (["--timeout", "0"], ["--timeout", "0"], ["--undo"], ["--undo"]):
        manage("drain", *words)  # the second of each changes nothing
    host = settings.hostname
    assert entries(Switch(pk=1)) == [
        (by, f"The host “{host}” claims and starts runs again."),
        (by, f"The host “{host}” no longer claims or starts runs."),
    ]
    assert by in admin.get(reverse("admin:chroniker_job_pause")).content.decode()


def test_a_run_that_cron_forces(dummy: object) -> None:
    job = a_booked_job(name="night", cron="0 0 1 1 *")
    manage("cron", "--jobs", "night", "--force-run")
    token = Run.objects.get().token
    assert entries(job) == [(command_actor("cron --force-run"), f"Run {token} started manually.")]
    with pytest.raises(CommandError):
        manage("cron", "--jobs", "night", "--force-run")  # it is queued
    assert len(entries(job)) == 1


def test_the_deletion_of_old_runs() -> None:
    job, past = a_booked_job(), database_now() - dt.timedelta(days=40)
    closed = {"status": Status.SUCCEEDED, "trigger": Trigger.MANUAL, "claimed_at": past, "finished_at": past}
    Run.objects.bulk_create(Run(job=job, token=token, **closed) for token in (1, 2, 3))
    manage("cron_clean", "days", "30", "--dry-run")
    assert entries(Switch(pk=1)) == []
    manage("cron_clean", "days", "30")
    manage("cron_clean", "days", "30")  # the last run is kept, and nothing is left
    [(actor, text)] = entries(Switch(pk=1))
    assert actor == command_actor("cron_clean")
    assert text.startswith("Runs deleted (ended before ") and text.endswith(": 2.")
