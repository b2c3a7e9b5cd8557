"""Options and variables that Django reads at its start take effect in warm and cold processes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from chroniker.process.fork_server_client import ForkServer
from chroniker.process.run_spec import RunOutcome
from chroniker.worker.machine import LocalMachine
from chroniker.worker.supervisor import Worker, execute_run
from tests.support.processes import wait_until
from tests.support.supervision.fake_report import FakeReport
from tests.support.supervision.supervised import Supervise

Run = Callable[[FakeReport], RunOutcome]
COMMON = "SECRET_KEY = 'x'\nUSE_TZ = True\nINSTALLED_APPS = ['tests.testapp']\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with two settings modules, each of which prints its own line."""
    (tmp_path / "own_settings.py").write_text(
        COMMON + "import os\nCOLOUR = os.environ.get('COLOUR', 'none')\nprint('own settings', COLOUR)\n"
    )
    (tmp_path / "other_settings.py").write_text(COMMON + "print('other settings')\n")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "far_settings.py").write_text(COMMON + "print('far settings')\n")
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "own_settings")
    monkeypatch.delenv("COLOUR", raising=False)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def run_warm(project: Path, report: FakeReport) -> tuple[RunOutcome, str]:
    fork_server = ForkServer.start()
    ending = execute_run(report, Worker(LocalMachine(project / "run", fork_server)))
    fork_server.close()
    assert ending is not None
    return ending, report.text()


@pytest.mark.parametrize(
    ("argv", "env", "printed"),
    [
        (("noop",), {}, ""),
        (("noop",), {"UNREAD": "x"}, ""),
        (("noop", "--settings=other_settings"), {}, "other settings\n"),
        (("noop", "--settings", "other_settings"), {}, "other settings\n"),
        (("noop", "--pythonpath", "elsewhere", "--settings", "far_settings"), {}, "far settings\n"),
        (("noop",), {"DJANGO_SETTINGS_MODULE": "other_settings"}, "other settings\n"),
        (("noop",), {"COLOUR": "red"}, "own settings red\n"),
        (("noop",), {"PYTHONWARNINGS": "error"}, "own settings none\n"),
    ],
)
def test_options_and_variables_that_django_reads_at_start_take_effect(
    project: Path, argv: tuple[str, ...], env: dict[str, str], printed: str
) -> None:
    report = FakeReport(*argv, raw=False, env=env, cwd=str(project))
    ending, text = run_warm(project, report)
    assert ending.exit_code == 0, report.text(2)
    assert text.replace("noop\n", "") == printed


def test_a_new_python_process_keeps_marker_stop_and_progress_of_the_run(project: Path, supervise: Supervise) -> None:
    report = FakeReport("progress", "--parts", "77", "--upto", "13", "--settings=tests.settings", raw=False)
    ending = supervise(report).end()
    assert (ending.exit_code, ending.progress) == (0, (77, 13)), report.text(2)


def test_random_numbers_differ_between_commands_of_one_fork_server(project: Path) -> None:
    (project / "numpy").mkdir()
    (project / "numpy" / "__init__.py").touch()
    (project / "numpy" / "random.py").write_text(
        "import random as _random\n_state = _random.Random(1)\nseed, random = _state.seed, _state.random\n"
    )
    commands = project / "draws" / "management" / "commands"
    commands.mkdir(parents=True)
    for folder in (commands, commands.parent, commands.parent.parent):
        (folder / "__init__.py").touch()
    (commands / "draw.py").write_text(
        "from django.core.management.base import BaseCommand\n"
        "import random, numpy.random\n"
        "class Command(BaseCommand):\n"
        "    def handle(self, *args, **options):\n"
        "        print(random.random(), numpy.random.random())\n"
    )
    (project / "own_settings.py").write_text(COMMON.replace("tests.testapp", "draws") + "import numpy.random\n")
    reports = [FakeReport("draw", raw=False) for _ in range(2)]
    fork_server = ForkServer.start()
    for report in reports:
        execute_run(report, Worker(LocalMachine(project / "run", fork_server)))
    fork_server.close()
    first, second = (report.text().split() for report in reports)
    assert len(first) == 2
    assert not set(first) & set(second)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows where the command line is")
def test_the_process_list_shows_the_job_and_the_run(supervise: Supervise) -> None:
    report = FakeReport("sleep_for", "60", raw=False)
    supervised = supervise(report)
    title = f"chroniker: manage.py sleep_for 60 (job 42, run {report.run_id})"

    def shown() -> bool:
        return any(title in " ".join(process.info["cmdline"] or []) for process in psutil.process_iter(["cmdline"]))

    wait_until(shown, what="the title")
    report.stop = "seen"
    assert supervised.end().end_kind == "stopped"
