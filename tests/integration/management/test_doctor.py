"""``manage.py doctor`` reports each problem with advice."""

from __future__ import annotations

import ast
import datetime as dt
import io
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.db.utils import OperationalError
from django.test import override_settings

from chroniker.clock.database_clock import database_now
from chroniker.eligibility import draining, hosts, pauses
from chroniker.executors.dummy import DummyExecutor
from chroniker.management import diagnosis
from chroniker.management.diagnosis import Level, installation, scheduling
from chroniker.management.diagnosis.finding import Findings
from chroniker.models import Group, Host, HostService, Job, JobState, Outbox, Run, Status, Ticker
from chroniker.scheduler import manual_runs
from tests.support import ROOT
from tests.support.command_jobs import DUMMY, a_job_of_new_year
from tests.support.ended_runs import ended
from tests.support.factories import a_booked_job, a_due_job

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def healthy(tmp_path: Path) -> Any:
    """An installation without problems; each test adds one."""
    Host.objects.create(name="here", last_seen=database_now(), clock_skew_seconds=0.01)
    values = {"version": "2", "pid": 1, "period": 5, "pass_seconds": 0.1}
    Ticker.objects.create(host="here", kind="beat", last_at=database_now(), **values)
    own = {"CHRONIKER_EXECUTORS": DUMMY, "CHRONIKER_RUNTIME_DIR": str(tmp_path / "runtime")}
    with override_settings(ADMINS=[("Ann", "ann@example.com")], **own):
        yield


def doctor(*words: str) -> tuple[int, str]:
    out = io.StringIO()
    try:
        call_command("doctor", "--timeout", "60", *words, stdout=out)
    except SystemExit as ended:
        return int(str(ended.code)), out.getvalue()
    return 0, out.getvalue()


def findings(level: Level) -> list[tuple[str, str]]:
    """The findings of this level as (about, text). No finding has a higher level."""
    status, out = doctor("--json")
    assert status == level, out
    found = [json.loads(line) for line in out.splitlines()]
    return [(each["about"], each["text"]) for each in found if each["level"] == level.name]


def test_each_check_is_ok_in_a_healthy_installation() -> None:
    a_job_of_new_year()
    status, out = doctor()
    assert status == 0 and {line.split()[0] for line in out.splitlines()} == {"OK"}
    assert len(out.splitlines()) == len(diagnosis.CHECKS)
    assert doctor("--verbosity", "0") == (0, "")


def test_each_finding_is_one_object_with_advice() -> None:
    pauses.pause("somebody", "maintenance")
    status, out = doctor("--json")
    [finding] = [each for each in map(json.loads, out.splitlines()) if each["level"] == "WARNING"]
    assert status == 1 and finding.keys() == {"level", "about", "text", "advice"}
    assert finding["about"] == "pauses" and "maintenance" in finding["text"] and "manage.py resume" in finding["advice"]


def test_a_paused_group_is_named() -> None:
    group = Group.objects.create(name="night")
    pauses.pause("somebody", group=group)
    [(about, text)] = findings(Level.WARNING)
    assert about == "pauses" and "“night”" in text


@pytest.mark.parametrize(
    ("error", "action"),
    [
        ("connection refused", "Start the database server"),
        ("FATAL: unsupported startup parameter: options", "PgBouncer"),
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
    [(about, text)] = findings(Level.ERROR)
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
        assert findings(Level.ERROR) == [("migrations", f"Not applied: {app}.{latest}.")]
    finally:
        MigrationRecorder(connection).record_applied(app, latest)


def test_a_check_that_does_not_end_is_abandoned(monkeypatch: pytest.MonkeyPatch) -> None:
    end = threading.Event()

    def silent() -> Findings:
        end.wait(60)
        yield Level.OK, "at last", ""

    monkeypatch.setattr(diagnosis, "CHECKS", (("broker", silent, False),))
    out = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("doctor", "--timeout", "0.1", stdout=out)
    end.set()
    assert ended.value.code == 2 and "ERROR    broker: No answer within 0.1 s." in out.getvalue()


def test_no_live_host_is_an_error() -> None:
    Host.objects.update(last_seen=database_now() - dt.timedelta(hours=1))
    [(about, text)] = findings(Level.ERROR)
    assert about == "hosts" and "The last one was “here”" in text
    Host.objects.all().delete()
    assert findings(Level.ERROR)[0][0] == "hosts"


def test_a_silent_host_beside_live_ones_and_a_wrong_clock_are_warnings() -> None:
    Host.objects.create(name="there", last_seen=database_now() - dt.timedelta(hours=1))
    Host.objects.create(name="fast", last_seen=database_now(), clock_skew_seconds=-90)
    Host.objects.create(name="gone", last_seen=database_now() - dt.timedelta(days=9))
    silent, wrong = findings(Level.WARNING)
    assert "“there” has been silent since" in silent[1] and "“fast” is -90.0 s off" in wrong[1]


def test_a_host_whose_workers_all_shut_down_in_order_is_not_missed() -> None:
    now = database_now()
    seen = now - dt.timedelta(hours=1)
    for name, ends in (("pod-1", [now, now]), ("pod-2", [now, None])):
        host = Host.objects.create(name=name, last_seen=seen)
        for number, ended_at in enumerate(ends):
            worker = {"executor": "default", "worker": f"{number}@{name}"}
            HostService.objects.create(host=host, last_seen=seen, ended_at=ended_at, **worker)
    [(about, text)] = findings(Level.WARNING)
    assert about == "hosts" and text.startswith("“pod-2” has been silent since ")


def test_a_host_that_only_ticked_and_whose_processes_all_shut_down_is_not_missed() -> None:
    now = database_now()
    seen = now - dt.timedelta(hours=1)
    values = {"version": "2", "pid": 1, "period": 5, "pass_seconds": 0, "last_at": seen}
    for name, ends in (("beat-1", {"beat": now}), ("beat-2", {"beat": now, "cronserver": None})):
        Host.objects.create(name=name, last_seen=seen)
        for kind, ended_at in ends.items():
            Ticker.objects.create(host=name, kind=kind, ended_at=ended_at, **values)
    [text] = [text for about, text in findings(Level.WARNING) if about == "hosts"]
    assert text.startswith("“beat-2” has been silent since ")


def test_a_suspended_host_is_named_with_the_reason() -> None:
    soon = database_now() + dt.timedelta(minutes=1)
    Host.objects.create(
        name="late", last_seen=database_now(), suspended_until=soon, suspended_because="The clock jumped."
    )
    [(about, text)] = findings(Level.WARNING)
    assert about == "hosts" and "The clock jumped. On the host “late” starts and expiry are suspended" in text


@pytest.mark.parametrize(("minutes", "level"), [(4, Level.WARNING), (30, Level.ERROR)])
def test_overdue_jobs_are_counted(minutes: int, level: Level) -> None:
    for _ in range(2):
        a_due_job(minutes=minutes)
    [(about, text)] = findings(level)
    assert about == "backlog" and text.startswith("Jobs that are due and not claimed: 2, the oldest since ")


def test_overdue_jobs_are_not_reported_while_all_is_paused() -> None:
    a_due_job(minutes=30)
    pauses.pause("somebody")
    assert [about for about, _text in findings(Level.WARNING)] == ["pauses"]


def test_claimed_runs_that_do_not_start_are_reported() -> None:
    hosts.record_heartbeat(["default"], name="here")
    run = manual_runs.run_now(a_job_of_new_year(name="stuck"), "a test")
    assert doctor()[0] == 0, "it has some minutes"
    Run.objects.filter(pk=run.pk).update(claimed_at=database_now() - dt.timedelta(minutes=30), reason_text="no broker")
    [(about, text)] = findings(Level.WARNING)
    assert about == "queued" and "have not started: 1" in text and "“stuck”" in text and "no broker" in text


def test_jobs_with_a_schedule_error_or_without_a_live_host_are_named() -> None:
    JobState.objects.filter(job=a_job_of_new_year(name="odd")).update(schedule_error="no such day")
    hosts.record_heartbeat(["default"], name="here")
    a_job_of_new_year(name="there", hostname="away"), a_job_of_new_year(name="near", hostname="here")
    a_job_of_new_year(name="all", hostname="*"), a_job_of_new_year(name="off", hostname="away", enabled=False)
    aside, unserved = findings(Level.WARNING)
    assert aside == ("jobs", "Scheduling of “odd” is suspended: no such day")
    assert unserved[1].startswith("“there”: Its host “away” is not live")


def test_system_checks_of_jobs_and_executors_are_findings() -> None:
    a_booked_job(cron="0 0 1 1 *", executor="nowhere")
    [(about, text)] = findings(Level.WARNING)
    assert about == "jobs" and "(chroniker.W006)" in text
    Job.objects.all().delete()
    with override_settings(CHRONIKER_EXECUTORS={"default": {"BACKEND": "no.such.thing"}}):
        [(about, text)] = findings(Level.ERROR)
    assert about == "executors" and "(chroniker.E004)" in text


def test_a_silenced_system_check_is_not_a_finding() -> None:
    a_booked_job(cron="0 0 1 1 *", executor="nowhere")
    with override_settings(SILENCED_SYSTEM_CHECKS=["chroniker.W006"]):
        assert doctor()[0] == 0


def test_a_database_of_an_unreleased_version_is_an_error() -> None:
    MigrationRecorder(connection).record_applied("chroniker", "0101_features")
    try:
        [(about, text)] = findings(Level.ERROR)
    finally:
        MigrationRecorder(connection).record_unapplied("chroniker", "0101_features")
    assert about == "migrations" and "(chroniker.E012)" in text


def test_each_used_executor_checks_the_queues_of_its_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    queues_of_alias = {}

    def diagnose(self: DummyExecutor, queues: set[str]) -> list[Any]:
        queues_of_alias[self.alias] = queues
        return []

    monkeypatch.setattr(DummyExecutor, "diagnose", diagnose)
    a_job_of_new_year(queue="slow"), a_job_of_new_year(queue="fast"), a_job_of_new_year(queue="off", enabled=False)
    a_job_of_new_year(executor="other")
    with override_settings(CHRONIKER_EXECUTORS={**DUMMY, "other": DUMMY["default"], "unused": DUMMY["default"]}):
        assert doctor()[0] == 0
    assert queues_of_alias == {"default": {"slow", "fast"}, "other": {""}}


def test_a_bad_runtime_directory_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with override_settings(CHRONIKER_RUNTIME_DIR=str(tmp_path / "file")):
        [(about, text)] = findings(Level.ERROR)
    assert about == "runtime directory" and "is not a directory" in text


def test_an_invalid_timeout_is_explained() -> None:
    with pytest.raises(CommandError, match="give seconds, more than 0"):
        call_command("doctor", "--timeout", "0")


def test_two_runs_of_a_job_that_overlapped_are_a_warning() -> None:
    job, now = a_job_of_new_year(name="backup"), database_now()
    for token in (1, 2):
        Run.objects.create(
            job=job, token=token, status="SUCCEEDED", trigger="MANUAL", claimed_at=now, started_at=now,
            finished_at=now + dt.timedelta(seconds=token),
        )  # fmt: skip
    [(about, text)] = findings(Level.WARNING)
    assert about == "reliability" and "Two runs of “backup” overlapped: run 2" in text


@pytest.mark.parametrize(("seconds", "level"), [(22, Level.WARNING), (3600, Level.ERROR)])
def test_a_tick_that_is_late_is_reported(seconds: int, level: Level) -> None:
    Ticker.objects.update(last_at=database_now() - dt.timedelta(seconds=seconds))
    [(about, text)] = findings(level)
    assert about == "health" and "beat on here" in text


@pytest.mark.parametrize(("error", "action"), [("refused", "EMAIL_HOST"), ("", "Start celery beat")])
def test_a_late_message_is_reported_with_what_to_do(error: str, action: str) -> None:
    run = manual_runs.run_now(a_job_of_new_year(), "a test")
    Outbox.objects.create(run=run, channel="mail:1", send_at=database_now(), attempts=2, error=error)
    status, out = doctor("--verbosity", "0")
    assert status == Level.WARNING and "Messages: 1 late. " in out and error in out and action in out


def test_a_drain_is_one_finding() -> None:
    with override_settings(CHRONIKER_HOSTNAME="here"):
        draining.drain("ann")
        [(about, text)] = findings(Level.WARNING)
    assert about == "hosts" and "has been draining since" in text


def test_a_job_that_keeps_all_its_runs_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduling, "MANY_RUNS", 1)
    for limit in (0, 2):
        job = a_job_of_new_year(name=f"keeps {limit}", maximum_log_entries=limit)
        ended(job, Status.SUCCEEDED), ended(job, Status.SUCCEEDED)
    [(about, text)] = findings(Level.WARNING)
    assert about == "jobs" and text.startswith("“keeps 0” keeps all its runs: more than 1 are stored")
    a_job_of_new_year(name="clean", command="cron_clean", args="days 30")
    assert doctor()[0] == Level.OK


@override_settings(ADMINS=[])
def test_it_warns_if_nobody_would_be_notified_of_a_silent_scheduler() -> None:
    [(about, text)] = findings(Level.WARNING)
    assert (
        about == "channels"
        and text == "No address, webhook or channel gets a message when nothing ticks, or when a queue has no worker."
    )


def test_a_queue_without_a_worker_is_an_error() -> None:
    run = manual_runs.run_now(a_booked_job(cron="0 0 1 1 *"), by="a test")
    Run.objects.filter(pk=run.pk).update(claimed_at=database_now() - dt.timedelta(minutes=3), queue="slow")
    [(about, text)] = findings(Level.ERROR)
    assert about == "health" and text.startswith("No worker consumes the queue “slow”, in which 1 run waits since ")


DIAGNOSES = [*(ROOT / "chroniker/management/diagnosis").glob("*.py"), ROOT / "chroniker_celery/diagnosis.py"]


@pytest.mark.parametrize("path", DIAGNOSES, ids=lambda path: path.stem)
def test_no_sentence_is_a_question(path: Path) -> None:
    """Each is an action: who reads it has no second place to look."""
    texts = [node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)]
    assert [text for text in texts if isinstance(text, str) and "? " in f"{text} "] == []
