"""``manage.py cronserver``: tick after tick."""

from __future__ import annotations

import datetime as dt
import re
import signal

import pytest

from chroniker.clock.database_clock import database_now
from chroniker.eligibility import pauses
from chroniker.models import Host, Job, Run, Status
from chroniker.schedule import Frequency
from tests.support import databases
from tests.support.command_jobs import a_job_due_once, a_job_of_new_year, the_run
from tests.support.factories import a_dependency
from tests.support.manage import Manage
from tests.support.processes import wait_until
from tests.support.servers import FaultProxy, Mode

pytestmark = pytest.mark.django_db(transaction=True)


def has_succeeded(job: Job) -> bool:
    return Run.objects.filter(job=job, status=Status.SUCCEEDED).exists()


def test_cronserver_sleeps_until_the_next_booked_time(manage: Manage) -> None:
    """The ticks are an hour apart, so only the booked time can wake it."""
    job = a_job_of_new_year()
    Job.objects.filter(pk=job.pk).update(
        frequency=Frequency.ONCE, cron="", run_at=database_now() + dt.timedelta(seconds=8)
    )
    with manage.process("cronserver", "3600") as server:
        wait_until(lambda: has_succeeded(job), what="the job to be run")
        assert "claimed" in server.log


def test_cronserver_detects_edits_flags_and_dependents(manage: Manage) -> None:
    """The dependent is claimed when the job it waits for ends, not at the next tick."""
    first, dependent = a_job_of_new_year(), a_job_of_new_year()
    a_dependency(dependent, first, wait_for_success=True)
    with manage.process("cronserver", "0.5"):
        wait_until(Host.objects.exists, what="the first tick")
        Job.objects.filter(pk__in=[dependent.pk, first.pk]).update(force_run=True)
        wait_until(lambda: has_succeeded(dependent), what="the dependent to be run")
    assert the_run(first).finished_at <= the_run(dependent).claimed_at  # type: ignore[operator]


def test_a_paused_cronserver_claims_nothing(manage: Manage) -> None:
    job = a_job_of_new_year(force_run=True)
    with manage.having(CHRONIKER_PAUSED=True).process("cronserver", "0.2"):
        wait_until(Host.objects.exists, what="the first tick")
    assert not Run.objects.filter(job=job).exists()


@pytest.mark.database("postgres", "mariadb")
def test_cronserver_survives_a_database_outage_and_logs_begin_and_end_once(manage: Manage) -> None:
    job = a_job_of_new_year()
    port = int(databases.configuration()["PORT"])
    with FaultProxy(port) as proxy:
        manage.env["CHRONIKER_TEST_DB_PORT"] = str(proxy.port)  # type: ignore[index]
        with manage.process("cronserver", "0.2") as server:
            wait_until(Host.objects.exists, what="the first tick")
            proxy.set(Mode.RESET)
            wait_until(lambda: "cannot be used" in server.log)
            proxy.set(Mode.PASS)
            wait_until(lambda: "can be used again" in server.log)
            Job.objects.filter(pk=job.pk).update(force_run=True)
            wait_until(lambda: has_succeeded(job), what="the job to be run")
            assert server.log.count("cannot be used") == server.log.count("can be used again") == 1


@pytest.mark.database("sqlite")
def test_cronserver_starts_without_a_database_and_waits_for_it(manage: Manage) -> None:
    name = manage.env["CHRONIKER_TEST_DB_NAME"]
    job = a_job_of_new_year(force_run=True)
    elsewhere = manage.directory / "link.sqlite3"
    config = {"default": {**databases.configuration(), "NAME": str(elsewhere)}}
    with manage.having(DATABASES=config).process("cronserver", "0.2") as server:
        wait_until(lambda: "cannot be used" in server.log)
        elsewhere.unlink(missing_ok=True)
        for suffix in ("-wal", "-shm"):
            (manage.directory / f"link.sqlite3{suffix}").unlink(missing_ok=True)
        elsewhere.symlink_to(name)
        wait_until(lambda: Run.objects.filter(job=job).exists(), what="the job to be claimed")


def test_cronserver_prints_its_start_and_the_result_of_each_run(manage: Manage) -> None:
    job = a_job_due_once(name="nightly", command="fails", args="--status 3")
    with manage.process("cronserver", "0.2") as server:
        wait_until(lambda: "“nightly”: run 1" in server.log and "failed after" in server.log, what="the result")
        run = the_run(job)
        start, versions, database, jobs = server.log.splitlines()[:4]
        assert start.startswith("cronserver on ")
        assert re.fullmatch(r"versions: chroniker 2\S+, Django \d\S+, Python 3\.\S+; host: \S+", versions)
        assert database.startswith("database: ") and database.endswith("executors: default (LocalExecutor)")
        assert jobs.startswith("jobs: 1 enabled; ")
        assert "it exited with status 3" in server.log and f"({run.pk})" in server.log


def test_cronserver_says_at_its_start_that_all_jobs_are_paused(manage: Manage) -> None:
    pauses.pause("somebody", "maintenance")
    with manage.process("cronserver", "0.2") as server:
        wait_until(lambda: "The scheduler has been paused since" in server.log, what="the pause")
        assert "by somebody. maintenance." in server.log


def test_a_quiet_cronserver_prints_only_runs_that_did_not_succeed(manage: Manage) -> None:
    fine = a_job_due_once(name="fine")
    with manage.process("cronserver", "0.2", "--quiet") as server:
        wait_until(lambda: has_succeeded(fine), what="the first job to be run")
        a_job_due_once(name="failing", command="fails", args="--status 3")
        wait_until(lambda: "“failing”: run 1" in server.log, what="the result")
        server.kill(signal.SIGTERM)
        assert server.wait() == 0
        assert len(server.log.splitlines()) == 1


@pytest.mark.database("sqlite")
def test_missing_tables_are_reported_with_advice(manage: Manage) -> None:
    config = {"default": {**databases.configuration(), "NAME": str(manage.directory / "empty.sqlite3")}}
    with manage.having(DATABASES=config).process("cronserver", "0.2") as server:
        wait_until(lambda: "Run: manage.py migrate" in server.log, what="the remedy")
        assert server.running()
    done = manage.having(DATABASES=config)("cron")
    assert done.returncode == 1 and "Run: manage.py migrate" in done.stderr
