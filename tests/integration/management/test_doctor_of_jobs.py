"""``manage.py doctor`` about jobs, runs and messages."""

from __future__ import annotations

import datetime as dt

import pytest

from chroniker.clock.database_clock import database_now
from chroniker.eligibility import hosts, pauses
from chroniker.management.diagnosis import FindingLevel, scheduling
from chroniker.management.diagnosis.finding import MAX_NAMES_PER_MESSAGE
from chroniker.models import JobState, Outbox, Run, Status
from chroniker.scheduler import manual_runs
from tests.integration.management.doctor_findings import doctor, findings
from tests.support.command_jobs import a_job_of_new_year
from tests.support.ended_runs import ended
from tests.support.factories import a_due_job

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("healthy")]


@pytest.mark.parametrize(("minutes", "level"), [(4, FindingLevel.WARNING), (30, FindingLevel.ERROR)])
def test_overdue_jobs_are_counted(minutes: int, level: FindingLevel) -> None:
    for _ in range(2):
        a_due_job(minutes=minutes)
    [(about, text)] = findings(level)
    assert about == "backlog" and text.startswith("Jobs that are due and not claimed: 2, the oldest since ")


def test_overdue_jobs_are_not_reported_while_all_is_paused() -> None:
    a_due_job(minutes=30)
    pauses.pause("somebody")
    assert [about for about, _text in findings(FindingLevel.WARNING)] == ["pauses"]


def test_claimed_runs_that_do_not_start_are_reported() -> None:
    hosts.record_heartbeat(["default"], host_name="here")
    run = manual_runs.run_now(a_job_of_new_year(name="stuck"), "a test")
    assert doctor()[0] == 0, "it has some minutes"
    Run.objects.filter(pk=run.pk).update(claimed_at=database_now() - dt.timedelta(minutes=30), reason_text="no broker")
    [(about, text)] = findings(FindingLevel.WARNING)
    assert about == "queued" and "have not started: 1" in text and "“stuck”" in text and "no broker" in text


def test_jobs_with_a_schedule_error_or_without_a_live_host_are_named() -> None:
    JobState.objects.filter(job=a_job_of_new_year(name="odd")).update(schedule_error="no such day")
    hosts.record_heartbeat(["default"], host_name="here")
    a_job_of_new_year(name="there", hostname="away"), a_job_of_new_year(name="near", hostname="here")
    a_job_of_new_year(name="all", hostname="*"), a_job_of_new_year(name="off", hostname="away", enabled=False)
    aside, unserved = findings(FindingLevel.WARNING)
    assert aside == ("jobs", "Scheduling of “odd” is suspended: no such day")
    assert unserved[1].startswith("“there”: Its host “away” is not live")


def test_two_runs_of_a_job_that_overlapped_are_a_warning() -> None:
    job, now = a_job_of_new_year(name="backup"), database_now()
    for token in (1, 2):
        Run.objects.create(
            job=job, token=token, status="SUCCEEDED", trigger="MANUAL", claimed_at=now, started_at=now,
            finished_at=now + dt.timedelta(seconds=token),
        )  # fmt: skip
    [(about, text)] = findings(FindingLevel.WARNING)
    assert about == "reliability" and "Two runs of “backup” overlapped: run 2" in text


@pytest.mark.parametrize(("error", "action"), [("refused", "EMAIL_HOST"), ("", "Start celery beat")])
def test_a_late_message_is_reported_with_what_to_do(error: str, action: str) -> None:
    run = manual_runs.run_now(a_job_of_new_year(), "a test")
    Outbox.objects.create(run=run, channel="mail:1", send_at=database_now(), attempts=2, error=error)
    status, out = doctor("--verbosity", "0")
    assert status == FindingLevel.WARNING and "Messages: 1 late. " in out and error in out and action in out


def test_a_job_that_keeps_all_its_runs_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduling, "MANY_STORED_RUNS", 1)
    for limit in (0, 2):
        job = a_job_of_new_year(name=f"keeps {limit}", maximum_log_entries=limit)
        ended(job, Status.SUCCEEDED), ended(job, Status.SUCCEEDED)
    for n in range(MAX_NAMES_PER_MESSAGE):  # they had many runs, which somebody deleted
        job = a_job_of_new_year(name=f"emptied {n}", maximum_log_entries=0)
        JobState.objects.filter(job=job).update(last_token=9)
    [(about, text)] = findings(FindingLevel.WARNING)
    assert about == "jobs" and text.startswith("“keeps 0” keeps all its runs: more than 1 are stored")
    a_job_of_new_year(name="clean", command="cron_clean", args="days 30")
    assert doctor()[0] == FindingLevel.OK
