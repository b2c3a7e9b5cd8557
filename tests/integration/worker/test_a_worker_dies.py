"""The worker process is killed: no process of its run survives, and the run lock is released at once."""

from __future__ import annotations

import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from uuid import UUID, uuid4

import psutil
import pytest

from chroniker.process import run_marker
from chroniker.worker import run_lock
from tests.support import ROOT
from tests.support.processes import MARK, Process, marked, wait_until
from tests.support.supervision import tree
from tests.support.supervision.fake_report import FakeReport
from tests.support.supervision.supervised import Supervise

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="whole trees are killed where they can be seen")
GUARDIANS = {"chroniker-fork", "chroniker-cold", "chroniker-keep"}  # as far as the kernel keeps names


def words(process: psutil.Process) -> str:
    with suppress(psutil.NoSuchProcess):
        return " ".join(process.cmdline())
    return ""


class Worker(Process):
    """A worker with one run, whose processes carry a mark."""

    def __init__(self, tmp_path: Path, start: str, **order: object) -> None:
        self.run_mark = uuid4().hex
        self.runtime_dir = tmp_path / "run"
        given = {"argv": [sys.executable, str(tree.__file__), "120"], "env": {MARK: self.run_mark}, **order}
        words = ["-m", "tests.support.supervision.worker", str(self.runtime_dir), start, json.dumps(given)]
        env = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
            "DJANGO_SETTINGS_MODULE": "tests.support.supervision.bare_settings",
        }
        super().__init__(words, env, tmp_path, name="worker")

    def wait_for_the_daemon(self) -> None:
        """Wait until the daemon of the run is alive."""
        wait_until(lambda: any("daemon" in words(each) for each in self.run_processes()))
        self.run_id = UUID(self.log.split()[0])

    def run_processes(self) -> list[psutil.Process]:
        return marked(self.run_mark)


def name_of(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.NoSuchProcess:  # the tree has a process that keeps forking
        return ""


@pytest.fixture(params=["warm", "cold", "reused"])
def start(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_no_process_of_a_run_survives_a_killed_worker(tmp_path: Path, start: str) -> None:
    with Worker(tmp_path, start, lease=600.0) as worker:  # its deadline is far
        worker.wait_for_the_daemon()
        assert run_lock.is_lock_held(worker.runtime_dir, worker.run_id)
        worker.kill()
        wait_until(lambda: not worker.run_processes(), what="the tree dead")
        wait_until(lambda: not run_lock.is_lock_held(worker.runtime_dir, worker.run_id), what="the lock free")
        wait_until(lambda: not worker.survivors(), what="keeper and fork server gone")


def test_the_run_lock_is_held_until_the_last_process_is_dead(tmp_path: Path, start: str) -> None:
    with Worker(tmp_path, start) as worker:
        worker.wait_for_the_daemon()
        worker.kill()
        wait_until(lambda: not run_lock.is_lock_held(worker.runtime_dir, worker.run_id), what="the lock free")
        assert worker.run_processes() == []


@pytest.mark.parametrize("start", ["warm", "reused", "reused, request unread"])
def test_the_fork_server_holds_the_lock_when_worker_and_keeper_are_dead(tmp_path: Path, start: str) -> None:
    """Also when it has not read the request: it was stopped before the keeper's second run began."""
    with Worker(tmp_path, start) as worker:
        worker.wait_for_the_daemon()
        [server] = [each for each in worker.children() if name_of(each) == "chroniker-fork"]
        [keeper] = [each for each in worker.children() if name_of(each) == "chroniker-keep"]
        server.suspend()
        for process in (worker, keeper):
            process.kill()
        worker.wait()
        assert run_lock.is_lock_held(worker.runtime_dir, worker.run_id), "processes of the run live"
        server.resume()
        wait_until(lambda: not run_lock.is_lock_held(worker.runtime_dir, worker.run_id), what="the lock free")
        assert worker.run_processes() == []


def test_the_run_of_a_stopped_worker_is_killed_when_its_lease_expires(tmp_path: Path, start: str) -> None:
    with Worker(tmp_path, start, lease=10.0, margin=2.0, heartbeat=100.0) as worker:
        worker.wait_for_the_daemon()
        worker.kill(signal.SIGSTOP)
        wait_until(lambda: not worker.run_processes(), what="the tree dead")


def test_the_next_worker_sweeps_processes_left_when_keeper_and_supervisor_are_killed(
    tmp_path: Path, start: str
) -> None:
    with Worker(tmp_path, start) as worker:
        worker.wait_for_the_daemon()
        assert not run_lock.kill_leftover_processes(worker.runtime_dir), "a running run is not changed"
        guardians = [each for each in worker.children() if name_of(each) in GUARDIANS]
        assert len(guardians) >= 2
        for guardian in guardians:
            guardian.suspend()
        worker.kill(signal.SIGSTOP)
        for pid in [worker.pid, *(each.pid for each in guardians)]:
            os.kill(pid, signal.SIGKILL)
        worker.wait()
        wait_until(lambda: not run_lock.is_lock_held(worker.runtime_dir, worker.run_id), what="the lock free")
        assert list(run_lock.kill_leftover_processes(worker.runtime_dir)) == [worker.run_id]
        assert worker.run_processes() == []
        assert [path.suffix for path in worker.runtime_dir.iterdir()] == [".lock"], "ticks must see that it is dead"


def test_child_processes_of_a_forked_command_carry_the_run_marker(supervise: Supervise, tmp_path: Path) -> None:
    report = FakeReport("fork_daemon", str(tmp_path / "pid"), "--stay", "60", raw=False)
    supervised = supervise(report)
    supervised.wait_for_text("daemon started")
    found = list(run_marker.find_marked_processes(report.run_id))
    assert int((tmp_path / "pid").read_text()) in found
    report.stop = "seen"
    supervised.end()
    assert list(run_marker.find_marked_processes(report.run_id)) == []
