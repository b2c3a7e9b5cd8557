"""Keepers from a fork server that runs, is missing, dies or hangs."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from pathlib import Path

import pytest

from chroniker.process import fork_server_client, keeper_client
from chroniker.process.fork_server_client import ForkServer
from tests.integration.process.executed_runs import alive, execute
from tests.support import ROOT
from tests.support.processes import wait_until
from tests.support.supervision.fake_report import FakeReport
from tests.support.supervision.supervised import Supervised

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="no fork server elsewhere")


def test_many_threads_share_one_fork_server(own: ForkServer, tmp_path: Path) -> None:
    reports = [FakeReport("sh", "-c", f"echo {number}; exit {number}") for number in range(12)]
    supervised = [Supervised(report, own, tmp_path) for report in reports]
    assert [each.end().exit_code for each in supervised] == list(range(12))
    assert [report.text() for report in reports] == [f"{number}\n" for number in range(12)]
    assert list(tmp_path.iterdir()) == []


def test_a_forked_worker_uses_the_fork_server_of_its_parent(own: ForkServer, tmp_path: Path) -> None:
    script = (
        "import os, sys, pathlib, django; django.setup()\n"
        "from chroniker.process.fork_server_client import ForkServer; "
        "from chroniker.worker.machine import LocalMachine\n"
        "from chroniker.worker.supervisor import Worker, execute_run\n"
        "from tests.support.supervision.fake_report import FakeReport\n"
        "fork_server = ForkServer.start()\n"
        "for _ in range(2):\n"
        "    if not os.fork():\n"
        "        report = FakeReport('sh', '-c', 'cat /proc/$PPID/stat')\n"
        "        execute_run(report, Worker(LocalMachine(pathlib.Path(sys.argv[1]), fork_server)))\n"
        "        keeper = report.text().rsplit(')', 1)[1].split()\n"
        "        os._exit(0 if int(keeper[1]) == fork_server.pid else 1)\n"
        "codes = [os.waitstatus_to_exitcode(os.wait()[1]) for _ in range(2)]\n"
        "fork_server.close()\n"
        "sys.exit(any(codes))\n"
    )
    root = str(ROOT)
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])}
    assert os.spawnve(os.P_WAIT, sys.executable, [sys.executable, "-c", script, str(tmp_path)], env) == 0


def test_the_fork_server_ends_when_its_last_client_closes_the_connection(own: ForkServer) -> None:
    pid = own.pid
    assert pid is not None
    own.close()
    assert not alive(pid)


def test_the_fork_server_waits_for_its_keepers_before_it_ends(own: ForkServer, tmp_path: Path) -> None:
    supervised = Supervised(FakeReport("sh", "-c", "echo begun; sleep 1.5; echo done"), own, tmp_path)
    supervised.wait_for_text("begun")
    pid = own.pid
    assert pid is not None
    own.close_connections()
    assert alive(pid)
    assert supervised.end().exit_code == 0
    wait_until(lambda: not alive(pid))


def test_without_a_fork_server_the_keeper_starts_cold(own: ForkServer, tmp_path: Path) -> None:
    assert own.pid is not None
    os.kill(own.pid, signal.SIGKILL)
    for _ in range(2):
        report = FakeReport("echo", "hello")
        ending = execute(report, own, runtime_dir=tmp_path)
        assert ending is not None
        assert ending.exit_code == 0
        assert report.text() == "hello\n"


def test_a_killed_fork_server_is_restarted_on_the_same_socket(
    own: ForkServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fork_server_client, "_MIN_LIFETIME_FOR_RESTART_SECONDS", 0.0)
    first = own.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: own.has_ended, what="the server dead")
    report = FakeReport("sh", "-c", "cat /proc/$PPID/stat")
    assert execute(report, own, runtime_dir=tmp_path) is not None
    assert own.pid not in (None, first)
    keeper = report.text().rsplit(")", 1)[1].split()
    assert int(keeper[1]) == own.pid, "the keeper came from the new server"


def test_forked_processes_use_the_restarted_fork_server(
    own: ForkServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fork_server_client, "_MIN_LIFETIME_FOR_RESTART_SECONDS", 0.0)
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.read(reading, 1)
        report = FakeReport("sh", "-c", "cat /proc/$PPID/stat")
        execute(report, own, runtime_dir=tmp_path)
        server = int(report.text().rsplit(")", 1)[1].split()[1])
        (tmp_path / "server").write_text(str(server))
        os._exit(0)
    assert own.pid is not None
    os.kill(own.pid, signal.SIGKILL)
    wait_until(lambda: own.has_ended, what="the server dead")
    own.restart_if_killed()
    os.write(writing, b"!")
    assert os.waitpid(child, 0)[1] == 0
    assert int((tmp_path / "server").read_text()) == own.pid
    os.close(reading)
    os.close(writing)


def test_a_run_survives_the_death_of_its_fork_server(own: ForkServer, tmp_path: Path) -> None:
    report = FakeReport("sh", "-c", "echo begun; sleep 1; echo done; sleep 300 & exit 4")
    supervised = Supervised(report, own, tmp_path)
    supervised.wait_for_text("begun")
    assert own.pid is not None
    os.kill(own.pid, signal.SIGKILL)
    ending = supervised.end()
    assert (ending.end_kind, ending.exit_code) == ("exited", 4)
    assert "sleep 300" in report.text(0)


def test_a_hanging_fork_server_is_bypassed_and_starts_nothing_later(
    own: ForkServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert execute(FakeReport("true"), own, runtime_dir=tmp_path) is not None  # it is warm now
    monkeypatch.setattr(keeper_client, "_READY_TIMEOUT", 1.5)
    assert own.pid is not None
    os.kill(own.pid, signal.SIGSTOP)
    report = FakeReport("sh", "-c", f"echo once >> {tmp_path}/started")
    ending = execute(report, own, runtime_dir=tmp_path)
    assert ending is not None
    assert ending.exit_code == 0
    os.kill(own.pid, signal.SIGCONT)
    assert execute(FakeReport("true"), own, runtime_dir=tmp_path) is not None
    assert (tmp_path / "started").read_text() == "once\n"


def test_a_fork_server_that_cannot_load_the_project_ends_and_keepers_start_cold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "no.such.settings")
    fork_server = ForkServer.start()
    report = FakeReport("echo", "hello")
    assert execute(report, fork_server, runtime_dir=tmp_path) is not None
    assert report.text() == "hello\n"
    fork_server.close()
    assert "ModuleNotFoundError: No module named 'no'" in capfd.readouterr().err


def test_a_fork_server_whose_project_starts_threads_refuses_to_fork(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    thread = "threading.Thread(target=time.sleep, args=(60,), name='x', daemon=True).start()"
    settings = f"import threading, time\n{thread}\nSECRET_KEY = 'x'\n"
    (tmp_path / "threaded_settings.py").write_text(settings)
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "threaded_settings")
    monkeypatch.syspath_prepend(str(tmp_path))
    fork_server = ForkServer.start()
    report = FakeReport("echo", "hello")
    assert execute(report, fork_server, runtime_dir=tmp_path / "run") is not None
    assert report.text() == "hello\n"
    fork_server.close()
    assert "left threads running: x (package time)" in capfd.readouterr().err


@pytest.fixture
def checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that counts the system checks, with a fork server of the project that writes it."""
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "tests.support.supervision.checked_settings")
    monkeypatch.setenv("CHRONIKER_TEST_CHECKED", str(tmp_path))
    return tmp_path / "checked"


def commands_of_a_new_fork_server(tmp_path: Path, *argvs: tuple[str, ...]) -> list[FakeReport]:
    fork_server = ForkServer.start()
    reports = [FakeReport(*argv, raw=False) for argv in argvs]
    for report in reports:
        execute(report, fork_server, runtime_dir=tmp_path / "runtime")
    fork_server.close()
    return reports


def test_passing_system_checks_run_once_for_all_commands_of_a_fork_server(tmp_path: Path, checked: Path) -> None:
    first, second, third = commands_of_a_new_fork_server(tmp_path, ("noop",), ("noop", "--skip-checks"), ("check",))
    assert [report.text(2) for report in (first, second)] == ["", ""]
    assert "no issues" in third.text()
    assert checked.read_text() == "xx", "once by the fork server, once by the command that ran cold"


def test_failing_system_checks_fail_each_command(tmp_path: Path, checked: Path) -> None:
    (tmp_path / "unsound").touch()
    first, second = commands_of_a_new_fork_server(tmp_path, ("noop",), ("noop",))
    assert "the roof leaks" in first.text(2)
    assert "the roof leaks" in second.text(2)
    assert checked.read_text() == "xxx"


def test_commands_of_one_fork_server_do_not_inherit_each_others_files(own: ForkServer, tmp_path: Path) -> None:
    first = Supervised(FakeReport("sh", "-c", "echo begun; sleep 30", grace=0.1), own, tmp_path)
    first.wait_for_text("begun")
    second = Supervised(FakeReport("sh", "-c", "ls -l /proc/$PPID/fd | grep -c socket"), own, tmp_path)
    second.end()
    assert second.report.text() == "1\n", "its keeper holds only its own connection to the supervisor"
    first.report.stop = "seen"
    first.end()


def test_no_file_descriptor_and_no_thread_is_leaked(own: ForkServer, tmp_path: Path) -> None:
    def held() -> tuple[int, int]:
        return len(os.listdir("/proc/self/fd")), threading.active_count()  # noqa: PTH208

    execute(FakeReport("true"), own, runtime_dir=tmp_path)
    before = held()
    for fork_server in (own, None):
        execute(FakeReport("sh", "-c", "echo x"), fork_server, runtime_dir=tmp_path)
    wait_until(lambda: all(now <= then for now, then in zip(held(), before, strict=True)), what=f"{before} of either")


def test_a_malformed_request_is_ignored(own: ForkServer, tmp_path: Path) -> None:
    assert own._requests is not None
    own._requests.send(b"?")
    near, far = socket.socketpair()
    with near, far:
        socket.send_fds(own._requests, [b"Kkeeper"], [near.fileno(), far.fileno()])
        socket.send_fds(own._requests, [b"Lnobody"], [near.fileno()])
    assert execute(FakeReport("true"), own, runtime_dir=tmp_path) is not None
    assert own._requests is not None
