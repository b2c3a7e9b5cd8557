"""A database that was cloned or restored starts nothing before it is adopted."""

from __future__ import annotations

import datetime as dt
import io
import json
import sqlite3
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext

from chroniker import lifecycle, outbox
from chroniker.clock import jump_detection
from chroniker.clock.database_clock import database_now
from chroniker.eligibility import explanations, pauses
from chroniker.exceptions import ClaimRefused
from chroniker.insights import health_facts
from chroniker.models import JobState, Outbox, Run, Status, Switch, Ticker, installation
from chroniker.reasons import Code
from chroniker.scheduler.manual_runs import run_now
from chroniker.scheduler.tick import tick
from tests.integration.scheduler.copies import copy_it, first_tick
from tests.support.ended_runs import a_job_with_subscribers, a_subscriber, ended
from tests.support.factories import a_booked_job, a_due_job, started
from tests.support.manage import Manage

pytestmark = pytest.mark.django_db(transaction=True)

NEVER = "0 0 1 1 *"
MINUTE = dt.timedelta(minutes=1)
WHY = "This database is a copy of another one, or was restored from a backup."


def test_the_first_tick_records_the_identity_and_later_ones_ask_nothing(dummy: object) -> None:
    first_tick()
    row = Switch.objects.get()
    assert row.server_identity not in ("", installation.UNKNOWN_DATABASE_IDENTITY)
    with CaptureQueriesContext(connection) as statements:
        assert not tick().is_database_copied
    assert len(statements) == 1
    assert Switch.objects.get().server_identity == row.server_identity


def test_a_copy_claims_starts_expires_and_sends_nothing(dummy: Any) -> None:
    first_tick()
    message = ended(a_job_with_subscribers(a_subscriber()), Status.FAILED)
    queued, running = (run_now(a_booked_job(cron=NEVER), requested_by="a test") for _ in range(2))
    started(running)
    Run.objects.filter(pk=queued.pk).update(redispatch_at=database_now() - MINUTE)
    running.lease.__class__.objects.filter(pk=running.pk).update(expires_at=database_now() - MINUTE)
    due, dispatched = a_due_job(), len(dummy.dispatched)
    copy_it()
    result = tick()
    assert result.is_database_copied and result.claimed == [] and result.lost == []
    assert len(dummy.dispatched) == dispatched
    assert not Run.objects.filter(job=due).exists()
    assert Run.objects.get(pk=running.pk).status == Status.RUNNING
    assert outbox.send_due_messages() == 0 and Outbox.objects.get(run=message).send_at is not None
    assert lifecycle.start(queued.pk, queued.token, uuid.uuid4(), host="h", pid=1) is None
    queued.refresh_from_db()
    assert (queued.status, queued.code) == (Status.CLAIMED, Code.COPIED)


def test_a_claim_checks_it_under_its_locks(copied: None) -> None:
    """Another process may restore a dump between the first statement of a tick and its claims."""
    job = a_due_job()
    with pytest.raises(ClaimRefused) as refusal:
        run_now(job, requested_by="a test")
    assert WHY in str(refusal.value)
    from chroniker.scheduler.claiming import claim_due_jobs
    from chroniker.scheduler.tick_result import TickResult

    assert list(claim_due_jobs(TickResult(), database_now)) in ([], [[]])
    assert not Run.objects.exists()


def test_each_page_and_doctor_and_why_not_say_so(copied: None, admin: Client) -> None:
    tick()
    job = a_due_job()
    [text] = explanations.explanation_texts(
        [JobState.objects.select_related("job").get(pk=job.pk)], database_now()
    ).values()
    assert text.startswith(WHY) and "manage.py chroniker_adopt" in text
    for page in ("job/", "run/", "host/", "job/timeline/"):
        found = admin.get(f"/admin/chroniker/{page}").content.decode()
        assert "No job runs here." in found and WHY in found, page
    out = io.StringIO()
    with pytest.raises(SystemExit):
        call_command("doctor", "--timeout", "60", stdout=out)
    assert f"Nothing runs here. {WHY}" in out.getvalue()


def test_the_address_for_monitoring_fails(copied: None, client: Client) -> None:
    Ticker.objects.create(host="h", kind="beat", version="2", pid=1, period=5, pass_seconds=0.1, last_at=database_now())
    health_facts.clear_cached_health_facts()
    answer = client.get("/chroniker/healthz/scheduler")
    assert (answer.status_code, answer.json()["checks"]) == (503, {"installation": "copied"})


def test_processes_that_cannot_read_the_identity_learn_it_from_a_tick(
    copied: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    tick()
    monkeypatch.setattr(installation, "_server_and_table_identity", lambda: ("", ""))
    pause = pauses.global_pause()
    assert pause is not None and pause.is_copy and pause.since is not None


def test_what_cannot_be_read_is_no_copy(dummy: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "_server_and_table_identity", lambda: ("", ""))
    tick()
    assert Switch.objects.get().server_identity == installation.UNKNOWN_DATABASE_IDENTITY
    monkeypatch.undo()
    jump_detection.read_clock()
    assert not tick().is_database_copied
    assert Switch.objects.get().server_identity != installation.UNKNOWN_DATABASE_IDENTITY, (
        "recorded as soon as it can be read"
    )


def test_a_process_that_cannot_read_the_identity_keeps_the_recorded_one(
    dummy: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    first_tick()
    before = Switch.objects.get().server_identity
    monkeypatch.setattr(installation, "_server_and_table_identity", lambda: ("", ""))
    tick()
    installation.record_database_identity()
    assert Switch.objects.get().server_identity == before


@pytest.mark.parametrize("parts", [("server_identity", "table_identity"), ("table_identity", "server_identity")])
def test_server_and_table_that_change_one_after_the_other_are_no_copy(dummy: object, parts: tuple[str, str]) -> None:
    """A new container of the server, and weeks later a migration of the table."""
    if connection.vendor != "mysql":  # elsewhere each part alone identifies the database
        return
    first_tick()
    for part in parts:
        Switch.objects.update(**{part: "of before"})
        assert not tick().is_database_copied
        assert getattr(Switch.objects.get(), part) != "of before"


@override_settings(CHRONIKER_INSTALLATION=False)
def test_the_setting_turns_it_off(copied: None) -> None:
    assert not tick().is_database_copied and pauses.global_pause() is None


def test_a_named_environment_is_recognised_by_its_name_alone(dummy: object) -> None:
    """After a move to another server, or an upgrade, nothing has to be adopted."""
    with override_settings(CHRONIKER_INSTALLATION="production"):
        tick()
        copy_it()
        assert not tick().is_database_copied
    with override_settings(CHRONIKER_INSTALLATION="staging"):
        assert tick().is_database_copied
    with override_settings(CHRONIKER_INSTALLATION="production"):
        assert tick().is_database_copied, "until it is adopted"


def test_a_name_that_is_set_later_is_recorded_where_nothing_was_copied(dummy: object) -> None:
    first_tick()
    with override_settings(CHRONIKER_INSTALLATION="production"):
        assert not tick().is_database_copied
    assert Switch.objects.get().installation == "production"


def test_a_name_that_is_set_later_does_not_adopt_a_copy(copied: None) -> None:
    with override_settings(CHRONIKER_INSTALLATION="staging"):
        assert tick().is_database_copied


def test_other_hosts_change_nothing(dummy: object) -> None:
    first_tick()
    with override_settings(CHRONIKER_HOSTNAME="a new pod"):
        assert not tick().is_database_copied


def restored_elsewhere(directory: Path) -> str:
    """A dump of the test's database, restored; its name."""
    own, name = connection.settings_dict, f"restored_{uuid.uuid4().hex[:8]}"
    if connection.vendor == "sqlite":
        path = directory / "restored.sqlite3"
        with sqlite3.connect(own["NAME"]) as source, sqlite3.connect(path) as target:
            source.backup(target)
        return str(path)
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
    place = ["-h", str(own["HOST"]), "-P" if connection.vendor == "mysql" else "-p", str(own["PORT"])]
    if connection.vendor == "mysql":
        server = [*place, "--protocol=tcp", "-u", str(own["USER"])]
        dump, load = ["mariadb-dump", *server, own["NAME"]], ["mariadb", *server, name]
    else:
        server = [*place, "-U", str(own["USER"])]
        dump, load = ["pg_dump", *server, own["NAME"]], ["psql", "-q", *server, name]
    sql = subprocess.run(dump, capture_output=True, check=True).stdout
    subprocess.run(load, input=sql, capture_output=True, check=True)
    return name


@pytest.fixture
def restored(manage: Manage, tmp_path: Path) -> Iterator[Manage]:
    """``manage.py`` of a project on a restored dump of this test's database, in which one job was due."""
    first = manage("cron")
    assert first.returncode == 0 and installation.select_switch_with_identity().exists(), first
    a_due_job(name="nightly", raw_command="true", minutes=70, cron="0 * * * *")
    name = restored_elsewhere(tmp_path)
    yield Manage({**manage.env, "CHRONIKER_TEST_DB_NAME": name}, tmp_path)
    if connection.vendor != "sqlite":
        with connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {name}")


def test_a_dump_restored_elsewhere_starts_nothing_until_it_is_adopted(manage: Manage, restored: Manage) -> None:
    """With real dumps and processes."""
    for _ in range(2):
        done = restored("cron")
        assert WHY in done.stdout and "claimed “" not in done.stdout, done
    refused = restored("run_job", "nightly")
    assert refused.returncode == 1 and WHY in refused.stderr, refused
    [job] = [json.loads(line) for line in restored("jobs", "--json").stdout.splitlines()]
    assert job["why"].startswith(WHY)
    original = manage("cron")
    assert "claimed “nightly”" in original.stdout, "the original goes on"
    adopted = restored("chroniker_adopt", "--noinput")
    assert adopted.returncode == 0, adopted
    done = restored("cron")
    assert done.returncode == 0 and WHY not in done.stdout and "claimed “" not in done.stdout, done
    assert restored("run_job", "nightly").returncode == 0


def test_a_moved_file_is_no_copy_and_a_copied_file_is(tmp_path: Path) -> None:
    first, moved, copy = (tmp_path / name for name in ("a", "b", "c"))
    first.write_text("x")
    before = installation._sqlite_identity(str(first))
    first.rename(moved)
    copy.write_text("x")
    assert installation._sqlite_identity(str(moved)) == before != installation._sqlite_identity(str(copy))
    assert installation._sqlite_identity(":memory:") == ""
