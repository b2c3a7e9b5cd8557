"""``manage.py doctor`` reports each problem with advice."""

from __future__ import annotations

import ast
import datetime as dt
import io
import json
import threading
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.db.utils import OperationalError
from django.test import override_settings

from chroniker.checks import databases
from chroniker.clock.database_clock import database_now
from chroniker.eligibility import pauses
from chroniker.management import diagnosis
from chroniker.management.diagnosis import FindingLevel, installation
from chroniker.management.diagnosis.finding import Findings
from chroniker.models import Group, Job
from tests.integration.management.doctor_findings import doctor, findings
from tests.support import ROOT
from tests.support.command_jobs import a_job_of_new_year
from tests.support.factories import a_booked_job

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("healthy")]


def test_each_check_is_ok_in_a_healthy_installation() -> None:
    a_job_of_new_year()
    status, out = doctor()
    assert status == 0 and {line.split()[0] for line in out.splitlines()} == {"OK"}
    assert len(out.splitlines()) == len(diagnosis.DOCTOR_CHECKS)
    assert doctor("--verbosity", "0") == (0, "")


def test_each_finding_is_one_object_with_advice() -> None:
    pauses.pause("somebody", "maintenance")
    status, out = doctor("--json")
    [finding] = [each for each in map(json.loads, out.splitlines()) if each["level"] == "WARNING"]
    assert status == 1 and finding.keys() == {"level", "about", "text", "advice"}
    assert finding["about"] == "pauses" and "maintenance" in finding["text"] and "manage.py resume" in finding["advice"]


@pytest.mark.database("sqlite")
def test_missing_options_of_sqlite_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases, "missing_sqlite_options", lambda options: ["journal_mode WAL"])
    [(about, text)] = findings(FindingLevel.WARNING)
    assert about == "database" and "database is locked" in text and "(chroniker.W003)" in text


def test_a_paused_group_is_named() -> None:
    group = Group.objects.create(name="night")
    pauses.pause("somebody", group=group)
    [(about, text)] = findings(FindingLevel.WARNING)
    assert about == "pauses" and "“night”" in text


@pytest.mark.parametrize(
    ("error", "action"),
    [
        ("connection refused", "Start the database server"),
        ("FATAL: unsupported startup parameter: options", "PgBouncer"),
        ("FATAL: unsupported startup parameter in options: statement_timeout", "PgBouncer"),
    ],
)
def test_an_unusable_database_is_an_error_and_checks_that_need_it_are_left_out(
    monkeypatch: pytest.MonkeyPatch, error: str, action: str
) -> None:
    def refuse() -> None:
        raise OperationalError(error)

    monkeypatch.setattr(installation, "database_now", refuse)
    status, out = doctor("--json")
    assert status == 2 and [json.loads(line)["about"] for line in out.splitlines()] == [
        "database",
        "runtime directory",
        "this host",
    ]
    assert error in out and action in out


def test_a_read_only_database_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    read_only = {"sqlite": "PRAGMA query_only = ON", "postgresql": "SET default_transaction_read_only = on"}
    if connection.vendor not in read_only:
        read_only[connection.vendor] = "SET SESSION TRANSACTION READ ONLY"
    real = database_now

    def in_a_read_only_session() -> dt.datetime:
        with connection.cursor() as cursor:
            cursor.execute(read_only[connection.vendor])
        return real()

    monkeypatch.setattr(installation, "database_now", in_a_read_only_session)
    [(about, text)] = findings(FindingLevel.ERROR)
    assert about == "database" and "read" in text.lower()


@pytest.mark.parametrize(
    "app",
    [
        "chroniker",
        pytest.param("chroniker_celery", marks=pytest.mark.celery),
        pytest.param("django_celery_results", marks=pytest.mark.celery),
    ],
)
def test_a_missing_migration_is_an_error(app: str) -> None:
    recorded = MigrationRecorder.Migration.objects.filter(app=app)
    latest = max(recorded.values_list("name", flat=True))
    recorded.filter(name=latest).delete()
    try:
        assert findings(FindingLevel.ERROR) == [("migrations", f"Not applied: {app}.{latest}.")]
    finally:
        MigrationRecorder(connection).record_applied(app, latest)


def test_a_check_that_does_not_end_is_abandoned(monkeypatch: pytest.MonkeyPatch) -> None:
    end = threading.Event()

    def silent() -> Findings:
        end.wait(60)
        yield FindingLevel.OK, "at last", ""

    monkeypatch.setattr(diagnosis, "DOCTOR_CHECKS", (("broker", silent, False),))
    out = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("doctor", "--timeout", "0.1", stdout=out)
    end.set()
    assert ended.value.code == 2 and "ERROR    broker: No answer within 0.1 s." in out.getvalue()


def test_system_checks_of_jobs_and_executors_are_findings() -> None:
    a_booked_job(cron="0 0 1 1 *", executor="nowhere")
    [(about, text)] = findings(FindingLevel.WARNING)
    assert about == "jobs" and "(chroniker.W006)" in text
    Job.objects.all().delete()
    with override_settings(CHRONIKER_EXECUTORS={"default": {"BACKEND": "no.such.thing"}}):
        [(about, text)] = findings(FindingLevel.ERROR)
    assert about == "executors" and "(chroniker.E004)" in text


def test_a_silenced_system_check_is_not_a_finding() -> None:
    a_booked_job(cron="0 0 1 1 *", executor="nowhere")
    with override_settings(SILENCED_SYSTEM_CHECKS=["chroniker.W006"]):
        assert doctor()[0] == 0


def test_a_database_of_an_unreleased_version_is_an_error() -> None:
    MigrationRecorder(connection).record_applied("chroniker", "0101_features")
    try:
        [(about, text)] = findings(FindingLevel.ERROR)
    finally:
        MigrationRecorder(connection).record_unapplied("chroniker", "0101_features")
    assert about == "migrations" and "(chroniker.E012)" in text


def test_a_bad_runtime_directory_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with override_settings(CHRONIKER_RUNTIME_DIR=str(tmp_path / "file")):
        [(about, text)] = findings(FindingLevel.ERROR)
    assert about == "runtime directory" and "is not a directory" in text


def test_an_invalid_timeout_is_explained() -> None:
    with pytest.raises(CommandError, match="give seconds, more than 0"):
        call_command("doctor", "--timeout", "0")


@override_settings(ADMINS=[])
def test_it_warns_if_nobody_would_be_notified_of_a_silent_scheduler() -> None:
    [(about, text)] = findings(FindingLevel.WARNING)
    assert (
        about == "channels"
        and text == "No address, webhook or channel gets a message when nothing ticks, or when a queue has no worker."
    )


DIAGNOSES = [*(ROOT / "chroniker/management/diagnosis").glob("*.py"), ROOT / "chroniker_celery/diagnosis.py"]


@pytest.mark.parametrize("path", DIAGNOSES, ids=lambda path: path.stem)
def test_no_sentence_is_a_question(path: Path) -> None:
    """Each is an action: who reads it has no second place to look."""
    texts = [node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)]
    assert [text for text in texts if isinstance(text, str) and "? " in f"{text} "] == []
