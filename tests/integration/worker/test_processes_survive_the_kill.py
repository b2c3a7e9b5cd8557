"""Processes that cannot be killed, such as those of another user: the run ends, and its slot is kept until they end."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from chroniker.process.fork_server_client import ForkServer
from chroniker.process.process_tree import SurvivingProcess
from chroniker.worker.shutdown_notice import ShutdownNotice
from chroniker.worker.survivors import hold_slot_until_survivors_end
from tests.support.processes import WAIT_SECONDS, wait_until
from tests.support.supervision.fake_report import FakeReport
from tests.support.supervision.supervised import Supervised

#: In the keeper and in its parent signals to a marked process are refused, as the kernel refuses them for another user.
SETTINGS = """
import pathlib
from chroniker.process import process_tree
SECRET_KEY = "x"
USE_TZ = True
sends = process_tree.send_signal
def send(pid, number):
    try:
        marked = b"UNKILLABLE=1" in pathlib.Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        marked = False
    return False if marked else sends(pid, number)
process_tree.send_signal = send
process_tree._UNKILLABLE_PROCESS_TIMEOUT = 0.5
"""


@pytest.fixture
def fork_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ForkServer]:
    (tmp_path / "refusing_settings.py").write_text(SETTINGS)
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "refusing_settings")
    monkeypatch.syspath_prepend(str(tmp_path))
    server = ForkServer.start()
    yield server
    server.close()


def test_a_run_is_closed_and_its_lease_renewed_until_surviving_processes_end(
    fork_server: ForkServer, tmp_path: Path
) -> None:
    pidfile = tmp_path / "pid"
    report = FakeReport("sh", "-c", f"UNKILLABLE=1 setsid sleep 600 & echo $! > {pidfile}; exit 3", heartbeat=0.3)
    supervised = Supervised(report, fork_server, tmp_path / "run")
    wait_until(lambda: report.ending, what="the outcome")
    assert report.ending is not None
    [survivor] = report.ending.survivors
    assert survivor.name == "sleep 600"
    assert "these processes could not be killed: sleep 600" in str(report.ending.reason)
    renewals = report.names().count("renew")
    wait_until(lambda: report.names().count("renew") >= renewals + 2, what="renewals after the end")
    assert supervised.running()
    assert "release" not in report.names()
    psutil.Process(survivor.pid).kill()
    assert supervised.end().exit_code == 3
    assert report.names()[-1] == "release"


# -- while a process survives ----------------------------------------------------------------------------------


@pytest.fixture
def survivor() -> Iterator[SurvivingProcess]:
    with subprocess.Popen(["sleep", "600"]) as process:
        yield SurvivingProcess.of(process.pid)
        process.kill()


def hold(report: FakeReport, survivor: SurvivingProcess, notice: ShutdownNotice | None = None) -> None:
    assert report.order is not None
    hold_slot_until_survivors_end(report, report.order, [survivor], notice)


def test_a_worker_that_shuts_down_leaves_the_lease_to_expire(survivor: SurvivingProcess) -> None:
    report, notice = FakeReport(heartbeat=0), ShutdownNotice()
    notice.announce(None)
    hold(report, survivor, notice)
    assert survivor.is_alive and report.names() == []
    notice.close()


def test_a_lease_that_another_run_has_is_not_renewed_again(survivor: SurvivingProcess) -> None:
    report = FakeReport(heartbeat=0)
    report.held = False
    hold(report, survivor)
    assert survivor.is_alive and report.names() == ["renew"]


def test_errors_of_the_database_do_not_end_the_wait(
    survivor: SurvivingProcess, caplog: pytest.LogCaptureFixture
) -> None:
    report = FakeReport(heartbeat=0)
    report.failing = {"renew": 2, "release": 1}
    waiting = threading.Thread(target=hold, args=[report, survivor])
    waiting.start()
    wait_until(lambda: report.names().count("renew") >= 3, what="a renewal after two that failed")
    assert "renewal failed: DatabaseDown('renew')" in caplog.text and "release" not in report.names()
    psutil.Process(survivor.pid).kill()
    waiting.join(WAIT_SECONDS)
    assert report.names()[-1] == "release" and report.calls[-1][0] == "close"
    assert "its lease was not released: DatabaseDown('release')" in caplog.text
