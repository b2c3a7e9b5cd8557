"""``CHRONIKER_USE_PID``: one tick at a time on a host."""

from __future__ import annotations

import fcntl
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.test import override_settings

from chroniker.models import Run, Status
from chroniker.scheduler import pass_lock as passlock
from tests.support.command_jobs import a_job_due_once, is_running, the_run
from tests.support.manage import Manage
from tests.support.processes import Process, wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def one_at_a_time(manage: Manage) -> Manage:
    return manage.having(CHRONIKER_USE_PID=True)


@pytest.fixture
def pass_lock(tmp_path: Path) -> Path:
    """The lock file that ``manage``'s commands use."""
    with override_settings(CHRONIKER_RUNTIME_DIR=tmp_path / "runtime"):
        path = passlock.lock_path()
    path.parent.mkdir(mode=0o700)
    return path


@contextmanager
def another_pass(path: Path) -> Iterator[None]:
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def test_with_use_pid_a_second_cron_waits_for_the_tick_of_the_first(one_at_a_time: Manage, pass_lock: Path) -> None:
    job = a_job_due_once(command="noop")
    with another_pass(pass_lock):
        with one_at_a_time.process("cron") as cron:
            wait_until(lambda: "Waiting for the pass of another cron" in cron.log)
            assert not Run.objects.exists()
            cron.kill(signal.SIGTERM)
            assert cron.wait() == 0
        assert not Run.objects.exists(), "a process that is stopped while it waits claims nothing"
    assert one_at_a_time("cron").returncode == 0
    assert the_run(job).status == Status.SUCCEEDED


def test_with_use_pid_a_second_cron_does_not_wait_for_the_runs_of_the_first(one_at_a_time: Manage) -> None:
    long = a_job_due_once(command="sleep_for", args="600")
    with one_at_a_time.process("cron") as first:
        wait_until(lambda: is_running(long))
        short = a_job_due_once(command="noop")
        assert one_at_a_time("cron").returncode == 0
        assert (the_run(short).status, is_running(long), first.running()) == (Status.SUCCEEDED, True, True)


def test_with_use_pid_a_killed_cron_leaves_no_lock(one_at_a_time: Manage, pass_lock: Path, tmp_path: Path) -> None:
    hold = f"import fcntl, time; f = open({str(pass_lock)!r}, 'a'); fcntl.flock(f, fcntl.LOCK_EX); time.sleep(600)"

    def held() -> bool:
        with pass_lock.open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    job = a_job_due_once(command="noop")
    with Process(["-c", hold], one_at_a_time.env, tmp_path) as first, one_at_a_time.process("cron") as second:
        wait_until(held)
        wait_until(lambda: "Waiting" in second.log or Run.objects.exists())
        first.kill(signal.SIGKILL)
        assert second.wait() == 0
    assert the_run(job).status == Status.SUCCEEDED


def test_without_use_pid_no_cron_waits(manage: Manage, pass_lock: Path) -> None:
    job = a_job_due_once(command="noop")
    with another_pass(pass_lock):
        assert manage("cron").returncode == 0
    assert the_run(job).status == Status.SUCCEEDED
