"""``manage.py doctor``: each thing that may be wrong is found, with what to do."""

from __future__ import annotations

import datetime as dt
import io
import json
import threading
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.utils import OperationalError
from django.test import override_settings

from chroniker.clock.database_clock import database_now
from chroniker.eligibility import hosts, pauses
from chroniker.executors.dummy import DummyExecutor
from chroniker.management import diagnosis
from chroniker.management.diagnosis import Level
from chroniker.models import Group, Host, Job, JobState, Run
from chroniker.scheduler import manual_runs
from tests.support.command_jobs import DUMMY, a_job_of_new_year
from tests.support.factories import a_booked_job, a_due_job

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def healthy(tmp_path: Path) -> Any:
    """Nothing is wrong but what the test does."""
    Host.objects.create(name="here", last_seen=database_now(), clock_skew_seconds=0.01)
    with override_settings(CHRONIKER_EXECUTORS=DUMMY, CHRONIKER_RUNTIME_DIR=str(tmp_path / "runtime")):
        yield


def doctor(*words: str) -> tuple[int, str]:
    out = io.StringIO()
    try:
        call_command("doctor", "--timeout", "60", *words, stdout=out)
    except SystemExit as ended:
        return int(str(ended.code)), out.getvalue()
    return 0, out.getvalue()


def findings(level: Level) -> list[tuple[str, str]]:
    """What is so bad, by what it is about; the exit status says that nothing is worse."""
    status, out = doctor("--json")
    assert status == level, out
    found = [json.loads(line) for line in out.splitlines()]
    return [(each["about"], each["text"]) for each in found if each["level"] == level.name]


def test_where_nothing_is_wrong_each_examination_says_so() -> None:
    a_job_of_new_year()
    status, out = doctor()
    assert status == 0 and {line.split()[0] for line in out.splitlines()} == {"OK"}
    assert len(out.splitlines()) == len(diagnosis.EXAMINATIONS)
    assert doctor("--verbosity", "0") == (0, "")


def test_each_finding_is_one_object_with_advice() -> None:
    pauses.pause("somebody", "maintenance")
    status, out = doctor("--json")
    [told] = [each for each in map(json.loads, out.splitlines()) if each["level"] == "WARNING"]
    assert status == 1 and told.keys() == {"level", "about", "text", "advice"}
    assert told["about"] == "pauses" and "maintenance" in told["text"] and "manage.py resume" in told["advice"]


def test_a_paused_group_is_named() -> None:
    group = Group.objects.create(name="night")
    pauses.pause("somebody", group=group)
    [(about, text)] = findings(Level.WARNING)
    assert about == "pauses" and "“night”" in text


def test_a_database_that_cannot_be_used_is_an_error_and_what_needs_it_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse() -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(diagnosis, "database_now", refuse)
    status, out = doctor("--json")
    assert status == 2 and [json.loads(line)["about"] for line in out.splitlines()] == ["database", "runtime directory"]
    assert "connection refused" in out


def test_a_database_that_may_not_be_written_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    read_only = {"sqlite": "PRAGMA query_only = ON", "postgresql": "SET default_transaction_read_only = on"}
    if connection.vendor not in read_only:
        read_only[connection.vendor] = "SET SESSION TRANSACTION READ ONLY"
    real = database_now

    def in_a_read_only_session() -> dt.datetime:
        with connection.cursor() as cursor:
            cursor.execute(read_only[connection.vendor])
        return real()

    monkeypatch.setattr(diagnosis, "database_now", in_a_read_only_session)
    [(about, text)] = findings(Level.ERROR)
    assert about == "database" and "read" in text.lower()


def test_a_missing_migration_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db.migrations.recorder import MigrationRecorder

    recorded = MigrationRecorder.Migration.objects.filter(app="chroniker")
    latest = max(recorded.values_list("name", flat=True))
    recorded.filter(name=latest).delete()
    try:
        assert findings(Level.ERROR) == [("migrations", f"Not applied: {latest}.")]
    finally:
        MigrationRecorder(connection).record_applied("chroniker", latest)


def test_what_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    end = threading.Event()

    def silent() -> diagnosis.Found:
        end.wait(60)
        yield Level.OK, "at last", ""

    monkeypatch.setattr(diagnosis, "EXAMINATIONS", (("broker", silent, False),))
    out = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("doctor", "--timeout", "0.1", stdout=out)
    end.set()
    assert ended.value.code == 2 and "ERROR    broker: No answer within 0.1 s." in out.getvalue()


def test_no_live_host_means_that_nothing_ticks() -> None:
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
    assert "“there” is silent" in silent[1] and "“fast” is -90.0 s off" in wrong[1]


def test_a_host_on_which_nothing_starts_is_named_with_why_and_until_when() -> None:
    soon = database_now() + dt.timedelta(minutes=1)
    Host.objects.create(
        name="late", last_seen=database_now(), suspended_until=soon, suspended_because="The clock jumped."
    )
    [(about, text)] = findings(Level.WARNING)
    assert about == "hosts" and "The clock jumped. On the host “late” nothing starts" in text


@pytest.mark.parametrize(("minutes", "level"), [(4, Level.WARNING), (30, Level.ERROR)])
def test_what_is_due_for_long_is_counted(minutes: int, level: Level) -> None:
    for _ in range(2):
        a_due_job(minutes=minutes)
    [(about, text)] = findings(level)
    assert about == "backlog" and text.startswith("2 jobs are due and not claimed, the oldest since ")


def test_a_backlog_is_no_finding_while_all_is_paused() -> None:
    a_due_job(minutes=30)
    pauses.pause("somebody")
    assert [about for about, _text in findings(Level.WARNING)] == ["pauses"]


def test_claims_that_nobody_takes_are_found() -> None:
    run = manual_runs.run_now(a_job_of_new_year(name="stuck"), "a test")
    assert doctor()[0] == 0, "it has some minutes"
    Run.objects.filter(pk=run.pk).update(claimed_at=database_now() - dt.timedelta(minutes=30), reason_text="no broker")
    [(about, text)] = findings(Level.WARNING)
    assert about == "queued" and "1 claimed runs" in text and "“stuck”" in text and "no broker" in text


def test_jobs_that_were_set_aside_and_hosts_that_do_not_live_are_named() -> None:
    JobState.objects.filter(job=a_job_of_new_year(name="odd")).update(schedule_error="no such day")
    hosts.record_heartbeat(["default"], name="here")
    a_job_of_new_year(name="there", hostname="away"), a_job_of_new_year(name="near", hostname="here")
    a_job_of_new_year(name="all", hostname="*"), a_job_of_new_year(name="off", hostname="away", enabled=False)
    aside, unserved = findings(Level.WARNING)
    assert aside == ("jobs", "“odd” was set aside: no such day")
    assert unserved[1].startswith("“there”: Its host “away” is not live")


def test_what_the_system_checks_say_of_jobs_and_executors_is_said_here_too() -> None:
    a_booked_job(cron="0 0 1 1 *", executor="nowhere")
    [(about, text)] = findings(Level.WARNING)
    assert about == "jobs" and "(chroniker.W006)" in text
    Job.objects.all().delete()
    with override_settings(CHRONIKER_EXECUTORS={"default": {"BACKEND": "no.such.thing"}}):
        [(about, text)] = findings(Level.ERROR)
    assert about == "executors" and "(chroniker.E004)" in text


def test_each_executor_that_jobs_use_is_asked_with_their_queues(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {}

    def diagnose(self: DummyExecutor, queues: set[str]) -> list[Any]:
        asked[self.alias] = queues
        return []

    monkeypatch.setattr(DummyExecutor, "diagnose", diagnose)
    a_job_of_new_year(queue="slow"), a_job_of_new_year(queue="fast"), a_job_of_new_year(queue="off", enabled=False)
    a_job_of_new_year(executor="other")
    with override_settings(CHRONIKER_EXECUTORS={**DUMMY, "other": DUMMY["default"], "unused": DUMMY["default"]}):
        assert doctor()[0] == 0
    assert asked == {"default": {"slow", "fast"}, "other": {""}}


def test_a_bad_runtime_directory_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with override_settings(CHRONIKER_RUNTIME_DIR=str(tmp_path / "file")):
        [(about, text)] = findings(Level.ERROR)
    assert about == "runtime directory" and "is not a directory" in text


def test_a_bad_timeout_is_explained() -> None:
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
