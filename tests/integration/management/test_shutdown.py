"""The effects of SIGTERM and SIGINT on a process that ticks."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from chroniker.clock.database_clock import database_now
from chroniker.lifecycle.dispatch_state import DELAY_AFTER_FAILED_DISPATCH
from chroniker.models import Host, Run, RunEvent, Status
from tests.support.command_jobs import a_job_due_once, a_job_of_new_year, is_running, the_run
from tests.support.manage import Manage
from tests.support.processes import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_after_one_signal_cron_waits_for_its_runs_and_claims_nothing_more(
    manage: Manage, tmp_path: Path, signum: int
) -> None:
    go_on = tmp_path / "go on"
    job = a_job_due_once(command="", raw_command=f"sh -c 'until test -e \"{go_on}\"; do sleep 0.05; done'")
    waiting = a_job_due_once(command="noop")
    manage = manage.having(
        CHRONIKER_EXECUTORS={
            "default": {"BACKEND": "chroniker.executors.local.LocalExecutor", "OPTIONS": {"workers": 1}}
        }
    )
    with manage.process("cron") as cron:
        wait_until(lambda: is_running(job))
        cron.kill(signum)
        wait_until(lambda: "Waiting for 1 runs" in cron.log)
        assert cron.running()
        go_on.touch()
        assert cron.wait() == 0
    assert (the_run(job).status, the_run(waiting).status) == (Status.SUCCEEDED, Status.CLAIMED)
    offered = the_run(waiting).redispatch_at
    assert offered is not None and offered <= database_now() + DELAY_AFTER_FAILED_DISPATCH, (
        "released for another process"
    )


def test_after_two_signals_cron_stops_its_runs(manage: Manage) -> None:
    job = a_job_due_once(command="sleep_for", args="600")
    with manage.process("cron") as cron:
        wait_until(lambda: is_running(job))
        cron.kill(signal.SIGTERM)
        wait_until(lambda: "Waiting" in cron.log)
        cron.kill(signal.SIGTERM)
        assert cron.wait() == 0
        assert not cron.survivors()
    run = the_run(job)
    assert run.status == Status.STOPPED
    assert run.stop_requested_by.endswith(" (manage.py cron)")


def test_after_three_signals_cron_and_its_runs_end_at_once(manage: Manage) -> None:
    manage = manage.having(CHRONIKER_STOP_GRACE_SECONDS=600)
    job = a_job_due_once(command="ignore_sigterm")
    with manage.process("cron") as cron:
        wait_until(lambda: is_running(job))
        cron.kill(signal.SIGTERM)
        wait_until(lambda: "Waiting" in cron.log, what="the first to be noticed: two at once may arrive as one")
        cron.kill(signal.SIGTERM)
        wait_until(lambda: Run.objects.filter(job=job, stop_requested_at__isnull=False).exists())
        cron.kill(signal.SIGTERM)
        assert cron.wait() == -signal.SIGTERM
        wait_until(lambda: not cron.survivors(), what="the tree to be gone")


def test_cronserver_waits_for_the_grace_and_then_stops_its_runs_which_are_lost(manage: Manage) -> None:
    job = a_job_due_once(command="sleep_for", args="600")
    with manage.process("cronserver", "1", "--drain", "0.5") as server:
        wait_until(lambda: is_running(job))
        server.kill(signal.SIGTERM)
        assert server.wait() == 0
        assert not server.survivors()
    run = the_run(job)
    assert run.status == Status.LOST
    assert "shut down" in run.reason
    assert run.stop_requested_at is None, "no stop was requested"


@pytest.mark.parametrize("command", [("cron",), ("cronserver", "1")])
def test_another_cronserver_repeats_a_run_that_a_shutdown_stopped(manage: Manage, command: tuple[str, ...]) -> None:
    manage = manage.having(CHRONIKER_SHUTDOWN_GRACE_SECONDS=0)
    job = a_job_due_once(command="sleep_for", args="600", retry_on_lost=True, retry_backoff_seconds=3600)
    with manage.process(*command) as first:
        wait_until(lambda: is_running(job))
        first.kill(signal.SIGTERM)
        assert first.wait() == 0
    with manage.process("cronserver", "1"):
        again = Run.objects.filter(job=job, status=Status.RUNNING)
        wait_until(again.exists, what="running again")
        assert again.get().attempt == 2


def test_an_idle_cronserver_ends_at_once(manage: Manage) -> None:
    a_job_of_new_year()
    with manage.process("cronserver", "3600") as server:
        wait_until(Host.objects.exists, what="the first tick")
        server.kill(signal.SIGTERM)
        assert server.wait() == 0
        starts = ("cronserver on ", "versions: ", "database: ", "jobs: ")
        assert [line for line in server.log.splitlines() if not line.startswith(starts)] == []


def test_a_signal_to_run_job_stops_its_run(manage: Manage) -> None:
    job = a_job_of_new_year(command="sleep_for", args="600")
    with manage.process("run_job", job.name) as process:
        wait_until(lambda: is_running(job) and "sleeping" in process.log)
        process.kill(signal.SIGINT)
        assert process.wait() not in (0, -signal.SIGINT)
    assert the_run(job).status == Status.STOPPED
    assert RunEvent.objects.filter(run__job=job, text__contains=" (manage.py run_job)").exists()
