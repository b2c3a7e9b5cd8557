"""The process of a management command ends as with ``manage.py``: files are flushed, finalizers and hooks run."""

from __future__ import annotations

import gzip
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from chroniker.process.fork_server_client import ForkServer
from chroniker.process.run_spec import RunOutcome
from chroniker.worker.machine import LocalMachine
from chroniker.worker.supervisor import Worker, execute_run
from tests.support.supervision.fake_report import FakeReport

Run = Callable[[FakeReport], RunOutcome]


def test_open_files_are_flushed_and_finalizers_run_when_the_command_ends(run: Run, tmp_path: Path) -> None:
    report = FakeReport("leaves_open", str(tmp_path), raw=False)
    ending = run(report)
    assert ending.exit_code == 0, report.text(2)
    assert (tmp_path / "rows.csv").read_text() == "a,b\n" or (tmp_path / "rows.csv").read_bytes() == b"a,b\r\n"
    assert gzip.decompress((tmp_path / "packed.gz").read_bytes()) == b"packed"
    assert zipfile.ZipFile(tmp_path / "archive.zip").read("member") == b"archived"
    assert (tmp_path / "finalized").read_text() == "finalized"
    assert "this finalizer is broken" in report.text(2), "a failure at the end is shown"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Write settings with these lines for processes that the test starts."""

    def write(lines: str) -> None:
        common = "SECRET_KEY = 'x'\nUSE_TZ = True\nINSTALLED_APPS = ['tests.testapp']\n"
        (tmp_path / "own_settings.py").write_text(common + lines)
        monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "own_settings")
        monkeypatch.syspath_prepend(str(tmp_path))

    return write


def run_on_a_new_fork_server(tmp_path: Path, *reports: FakeReport) -> list[RunOutcome | None]:
    fork_server = ForkServer.start()
    worker = Worker(LocalMachine(tmp_path / "run", fork_server))
    endings = [execute_run(report, worker) for report in reports]
    fork_server.close()
    return endings


def test_a_file_opened_at_project_start_receives_each_text_once(project: Callable[[str], None], tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    project(f"import sys\nsys.file_of_startup = open({str(shared)!r}, 'a')\nsys.file_of_startup.write('at start\\n')\n")
    (tmp_path / "first").mkdir()
    (tmp_path / "second").mkdir()
    runs = [FakeReport("leaves_open", str(tmp_path / name), raw=False) for name in ("first", "second")]
    run_on_a_new_fork_server(tmp_path, *runs)
    assert shared.read_text() == "at start\nby the command\nby the command\n"


def test_an_uncaught_exception_reaches_the_excepthook_of_the_project(
    project: Callable[[str], None], tmp_path: Path
) -> None:
    project(
        "import sys, traceback\n"
        "def hook(kind, error, trace):\n"
        "    print('reported:', kind.__name__)\n"
        "    traceback.print_exception(error)\n"
        "sys.excepthook = hook\n"
    )
    report = FakeReport("fails", raw=False)
    [ending] = run_on_a_new_fork_server(tmp_path, report)
    assert report.text() == "reported: RuntimeError\n"
    assert ending is not None
    assert ending.exit_code == 1
    assert str(ending.reason) == "it exited with status 1; last line on stderr: RuntimeError: something broke"


def test_a_failing_excepthook_does_not_hide_the_traceback(project: Callable[[str], None], tmp_path: Path) -> None:
    project("import sys\ndef hook(*args):\n    raise OSError('no network')\nsys.excepthook = hook\n")
    report = FakeReport("fails", raw=False)
    run_on_a_new_fork_server(tmp_path, report)
    assert "no network" in report.text(2)
    assert "something broke" in report.text(2)


def test_a_keyboard_interrupt_gives_exit_status_130(run: Run) -> None:
    report = FakeReport("fails", "--signal", "2", raw=False)
    ending = run(report)
    assert ending.exit_code == 130
    assert "it exited with status 130 (in a shell: killed by SIGINT)" in str(ending.reason)
    assert "KeyboardInterrupt" in report.text(2)
