"""``manage.py cron`` with the local executor, as crontab starts it."""

from __future__ import annotations

import signal
from pathlib import Path

import psutil
import pytest

from chroniker.models import Job, Status
from tests.support.command_jobs import a_job_due_once, is_running, stdout_of, the_run
from tests.support.factories import a_dependency
from tests.support.manage import Manage
from tests.support.processes import wait_until
from tests.testapp import witnessing

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_due_job_is_run_to_its_end_with_its_output(manage: Manage) -> None:
    job = a_job_due_once(name="due", command="chatty", args="--lines 3 --no-stderr")
    done = manage("cron")
    run = the_run(job)
    assert (done.returncode, done.stderr, run.status) == (0, "", Status.SUCCEEDED)
    assert stdout_of(run) == "line 1 of 3\nline 2 of 3\nline 3 of 3\n"
    start, versions, database, jobs, claimed, result = done.stdout.splitlines()
    assert start.startswith("cron on ") and versions.startswith("versions: ")
    assert "executors: default (LocalExecutor)" in database and jobs.startswith("jobs: 1 enabled; the next is “due”")
    assert claimed.startswith("claimed “due”") and str(run.pk) in claimed
    assert result.startswith("“due”: run 1") and "succeeded after" in result and str(run.pk) in result


def test_a_quiet_tick_prints_only_runs_that_did_not_succeed(manage: Manage) -> None:
    a_job_due_once(name="fine")
    failing = a_job_due_once(name="failing", command="fails", args="--status 3")
    done = manage("cron", "--quiet")
    [line] = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (0, "")
    assert line.startswith("“failing”: run 1") and "status 3" in line and str(the_run(failing).pk) in line
    assert manage("cron", "--quiet").stdout == "", "nothing was due"


def test_progress_and_failure_and_timeout_are_recorded(manage: Manage) -> None:
    counting = a_job_due_once(command="progress", args="--parts 77 --upto 13")
    failing = a_job_due_once(command="fails", args="--status 3")
    hanging = a_job_due_once(raw_command="sh -c 'trap \"\" TERM; sleep 600'", timeout_seconds=1)
    assert manage("cron").returncode == 0
    ended = the_run(counting)
    assert (ended.status, ended.total_parts, ended.total_parts_complete) == (Status.SUCCEEDED, 77, 13)
    assert (the_run(failing).status, the_run(failing).exit_code) == (Status.FAILED, 3)
    assert (the_run(hanging).status, the_run(hanging).exit_code) == (Status.TIMED_OUT, -signal.SIGKILL)


def test_a_dependent_runs_after_its_dependee_in_the_same_cron_process(manage: Manage, tmp_path: Path) -> None:
    path = tmp_path / "witness"
    last, middle, first = (
        a_job_due_once(command="witness", args=f"{path} {name}") for name in ("last", "middle", "first")
    )
    a_dependency(middle, first, wait_for_completion=True, wait_for_next_run=True, wait_for_success=True)
    a_dependency(last, middle, wait_for_completion=True, wait_for_next_run=True, wait_for_success=True)
    done = manage("cron")
    assert [mark.job for mark in witnessing.ended(path)] == ["first", "middle", "last"]
    assert done.stdout.count("claimed “") == done.stdout.count("succeeded after") == 3


def test_two_concurrent_cron_processes_run_each_job_once(manage: Manage, tmp_path: Path) -> None:
    path = tmp_path / "witness"
    jobs = [a_job_due_once(command="witness", args=f"{path} {number} --seconds 0.2") for number in range(6)]
    with manage.process("cron") as one, manage.process("cron") as other:
        assert (one.wait(), other.wait()) == (0, 0)
    assert sorted(mark.job for mark in witnessing.begun(path)) == sorted(str(number) for number in range(6))
    assert [the_run(job).status for job in jobs] == [Status.SUCCEEDED] * 6


def test_the_runs_of_a_killed_cron_process_are_killed_and_lost(manage: Manage, tmp_path: Path) -> None:
    manage = manage.having(CHRONIKER_LOCK_TIMEOUT=10)
    pidfile = tmp_path / "pids"
    job = a_job_due_once(command="fork_daemon", args=f"{pidfile} --stay 600")
    with manage.process("cron") as cron:
        wait_until(lambda: is_running(job) and pidfile.exists(), what="the run to begin")
        daemon = int(pidfile.read_text().split()[0])
        cron.kill(signal.SIGKILL)
        cron.wait()
        wait_until(lambda: not psutil.pid_exists(daemon), what="the tree to be gone")
        wait_until(lambda: not cron.survivors(), what="fork server and keeper to be gone")

    def is_lost_after_a_tick() -> bool:
        """A tick expires the run some time after the end of its lease, because clocks may drift apart."""
        assert manage("cron").returncode == 0
        return the_run(job).status == Status.LOST

    wait_until(is_lost_after_a_tick, what="the run to be lost")


@pytest.mark.database("sqlite")
def test_a_killed_cron_process_on_the_same_host_is_detected_at_once(manage: Manage) -> None:
    manage = manage.having(CHRONIKER_LOCK_TIMEOUT=3600)
    job = a_job_due_once(command="sleep_for", args="600")
    with manage.process("cron") as cron:
        wait_until(lambda: is_running(job))
        cron.kill(signal.SIGKILL)
        cron.wait()
        wait_until(lambda: not cron.survivors())
    assert manage("cron").returncode == 0
    assert the_run(job).status == Status.LOST


def test_the_force_stop_flag_ends_the_run(manage: Manage) -> None:
    job = a_job_due_once(command="sleep_for", args="600")
    with manage.process("cron") as cron:
        wait_until(lambda: is_running(job))
        Job.objects.filter(pk=job.pk).update(force_stop=True)
        assert manage("cron").returncode == 0
        assert cron.wait() == 0
    assert the_run(job).status == Status.STOPPED


def test_a_command_that_the_process_does_not_know_fails_with_the_remedy(manage: Manage) -> None:
    """It may have been added after a worker had started."""
    job = a_job_due_once(command="added_later")
    assert manage("cron").returncode == 0
    run = the_run(job)
    assert run.status == Status.FAILED
    assert "There is no management command “added_later”" in run.reason and "restart the workers" in run.reason
