"""The processes of a run are dead before a tick closes it as lost, even if supervisor and keeper were killed."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import psutil
import pytest
from django.test import override_settings

from chroniker.models import Run, Status
from chroniker.scheduler import tick
from chroniker.worker import run_lock, run_remains
from tests.support.command_jobs import a_job_due_once, is_running, the_run
from tests.support.manage import Manage
from tests.support.processes import Process, wait_until
from tests.testapp import witnessing

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="only Linux shows the mark of a run"),
]
LEASE_SECONDS = 10  # renewed on a busy machine; waiting for its end costs no time of the processor


def is_alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def kill_keeper_and_supervisor(server: Process) -> None:
    """Kill the supervisor and each chroniker process between it and the command at once."""
    guardians = server.children_named("chroniker-fork", "chroniker-keep")
    assert len(guardians) >= 2
    for guardian in guardians:
        guardian.suspend()
    server.kill(signal.SIGSTOP)
    for pid in [server.pid, *(each.pid for each in guardians)]:
        os.kill(pid, signal.SIGKILL)
    server.wait()


@pytest.mark.parametrize("check_lock_file", [True, False])
def test_two_cronservers_with_different_runtime_directories_never_overlap(
    manage: Manage, tmp_path: Path, check_lock_file: bool
) -> None:
    witness = tmp_path / "witness"
    manage = manage.having(CHRONIKER_LOCK_TIMEOUT=LEASE_SECONDS, CHRONIKER_CHECK_LOCK_FILE=check_lock_file)
    first = manage.having(CHRONIKER_RUNTIME_DIR=str(tmp_path / "one"))
    second = manage.having(CHRONIKER_RUNTIME_DIR=str(tmp_path / "two"))
    a_job_due_once(command="witness", args=f"{witness} job --seconds 600", retry_on_lost=True, retry_backoff_seconds=0)
    with first.process("cronserver", "1") as frozen:
        wait_until(lambda: witnessing.begun(witness), what="the first run")
        frozen.kill(signal.SIGSTOP)
        with second.process("cronserver", "1"):
            wait_until(lambda: len(witnessing.begun(witness)) >= 2, what="the second run")
            assert not is_alive(witnessing.begun(witness)[0].pid)


@pytest.mark.parametrize("check_lock_file", [True, False])
def test_processes_that_survive_supervisor_and_keeper_are_killed_before_the_run_is_lost(
    manage: Manage, tmp_path: Path, check_lock_file: bool
) -> None:
    pidfile, runtime_dir = tmp_path / "pids", tmp_path / "runtime"
    settings = {
        "CHRONIKER_LOCK_TIMEOUT": LEASE_SECONDS,
        "CHRONIKER_CHECK_LOCK_FILE": check_lock_file,
        "CHRONIKER_RUNTIME_DIR": str(runtime_dir),
    }
    job = a_job_due_once(command="fork_daemon", args=f"{pidfile} --stay 600")
    with manage.having(**settings).process("cronserver", "1") as server:
        wait_until(lambda: is_running(job) and pidfile.exists(), what="the run")
        daemon = int(pidfile.read_text().split()[0])
        kill_keeper_and_supervisor(server)
        wait_until(lambda: not run_lock.is_lock_held(runtime_dir, the_run(job).pk), what="the lock free")
        assert is_alive(daemon), "the daemon survives keeper and supervisor"

        def lost() -> bool:
            tick.tick()
            return the_run(job).status == Status.LOST

        with override_settings(**settings):
            wait_until(lost, what="the run lost")
            assert not is_alive(daemon)


def test_the_host_sweeps_its_processes_before_another_host_can_start_the_job(
    manage: Manage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pidfile, runtime_dir = tmp_path / "pids", tmp_path / "runtime"
    job = a_job_due_once(command="fork_daemon", args=f"{pidfile} --stay 600")
    with manage.having(CHRONIKER_RUNTIME_DIR=str(runtime_dir)).process("cronserver", "1") as server:
        wait_until(lambda: is_running(job) and pidfile.exists(), what="the run")
        daemon = int(pidfile.read_text().split()[0])
        sweeper = run_remains.LeftoverProcessSweeper(runtime_dir, interval=60.0)
        monkeypatch.setattr(run_remains, "_MIN_LOCK_FILE_AGE", 0.0)
        sweeper.sweep()
        assert is_alive(daemon), "a running run is not changed"
        kill_keeper_and_supervisor(server)
        wait_until(lambda: not run_lock.is_lock_held(runtime_dir, the_run(job).pk), what="the lock free")
        sweeper.sweep()
        assert not is_alive(daemon)
        assert Run.objects.get(job=job).status == Status.RUNNING, "only a tick closes runs"
