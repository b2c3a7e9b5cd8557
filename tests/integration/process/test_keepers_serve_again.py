"""A keeper of a fork server serves the next run, unless its last one left something behind."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from chroniker.process import fork_server_client
from chroniker.process.fork_server_client import ForkServer
from tests.integration.process.executed_runs import alive, execute
from tests.support.processes import wait_until
from tests.support.supervision.fake_report import FakeReport
from tests.support.supervision.supervised import Supervised

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="no fork server elsewhere")


def keeper_of_next_run(own: ForkServer, tmp_path: Path) -> str:
    report = FakeReport("sh", "-c", "echo $PPID")
    assert execute(report, own, runtime_dir=tmp_path) is not None
    return report.text().strip()


def test_a_keeper_serves_the_next_run_after_one_that_ended_in_order(own: ForkServer, tmp_path: Path) -> None:
    first = keeper_of_next_run(own, tmp_path)
    report = FakeReport("sh", "-c", "echo $PPID; echo error >&2; exit 3")
    ending = execute(report, own, runtime_dir=tmp_path)
    assert ending is not None and ending.exit_code == 3
    assert (report.text().strip(), report.text(2)) == (first, "error\n")
    assert keeper_of_next_run(own, tmp_path) == first


STATE = """
import os, resource, time
umask = os.umask(0)
os.umask(umask)
names = ("FIRST", "PATH", "HOME", "TZ", "PWD")
print([os.environ.get(name) for name in names], os.getcwd(), umask, resource.getrlimit(resource.RLIMIT_NOFILE),
      os.getpriority(os.PRIO_PROCESS, 0), time.tzname, os.getppid())
"""
CHANGE = """
os.umask(0)
os.chdir("/")
os.nice(1)
resource.setrlimit(resource.RLIMIT_NOFILE, (50, 50))
os.environ.update(HOME="/changed", TZ="Asia/Tokyo")
del os.environ["PATH"]
time.tzset()
"""


def test_a_command_changes_nothing_for_the_next_run_of_its_keeper(own: ForkServer, tmp_path: Path) -> None:
    def state(change: str = "", **order: Any) -> str:
        report = FakeReport("shell", "-v", "0", "-c", STATE + change, raw=False, **order)
        ending = execute(report, own, runtime_dir=tmp_path)
        assert ending is not None and ending.exit_code == 0, report.text(2)
        return report.text()

    before = state()
    first = state(CHANGE, env={"FIRST": "first"}, cwd=str(tmp_path))
    assert "first" in first and str(tmp_path) in first
    assert state() == before, "of the same keeper, without a change of the run before"


@pytest.mark.parametrize(
    "words",
    [("sh", "-c", "sleep 60 & exit 0"), ("sh", "-c", "trap '' TERM; sleep 60")],
    ids=["left a process", "timed out"],
)
def test_a_keeper_that_had_to_kill_serves_no_other_run(own: ForkServer, tmp_path: Path, words: tuple[str, ...]) -> None:
    first = keeper_of_next_run(own, tmp_path)
    execute(FakeReport(*words, timeout=2.0, grace=0.1), own, runtime_dir=tmp_path)
    assert keeper_of_next_run(own, tmp_path) != first


@pytest.mark.parametrize("dead", ["keeper", "fork server"])
def test_a_keeper_that_is_dead_or_has_lost_its_parent_serves_no_other_run(
    own: ForkServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dead: str
) -> None:
    monkeypatch.setattr(fork_server_client, "_MIN_LIFETIME_FOR_RESTART_SECONDS", 0.0)
    first = keeper_of_next_run(own, tmp_path)
    assert own.pid is not None
    os.kill(int(first) if dead == "keeper" else own.pid, signal.SIGKILL)
    wait_until(lambda: dead == "keeper" or own.has_ended)
    assert keeper_of_next_run(own, tmp_path) != first


def test_idle_keepers_end_with_the_connection_of_their_worker(own: ForkServer, tmp_path: Path) -> None:
    keeper = int(keeper_of_next_run(own, tmp_path))
    assert alive(keeper)
    own.close()
    assert not alive(keeper)


def test_a_message_that_came_after_the_end_does_not_touch_the_next_run(own: ForkServer, tmp_path: Path) -> None:
    first = keeper_of_next_run(own, tmp_path)
    [idle] = own._idle
    idle.connection.send(deadline=0.0)
    idle.connection.send(stop=True)
    idle.connection.send(kill=True)
    report = FakeReport("sh", "-c", "sleep 0.2; echo $PPID")
    ending = execute(report, own, runtime_dir=tmp_path)
    assert ending is not None and (ending.end_kind, ending.exit_code) == ("exited", 0)
    assert report.text().strip() == first


def test_threads_at_the_same_time_have_keepers_of_their_own(own: ForkServer, tmp_path: Path) -> None:
    for _each in range(2):
        reports = [FakeReport("sh", "-c", "sleep 0.5; echo $PPID") for _number in range(6)]
        for supervised in [Supervised(report, own, tmp_path) for report in reports]:
            assert supervised.end().exit_code == 0
        assert len({report.text() for report in reports}) == 6
    assert len(own._idle) == 6
