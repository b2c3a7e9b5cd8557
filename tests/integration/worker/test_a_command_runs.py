"""The process environment of a command, its exit status and its streams."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from chroniker.process.run_spec import RunOutcome
from chroniker.worker.output import MAX_BATCH_LENGTH
from tests.support.processes import wait_until
from tests.support.supervision.fake_report import FakeReport
from tests.support.supervision.supervised import Supervise

Run = Callable[[FakeReport], RunOutcome]
linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


def management(*argv: str, **order: object) -> FakeReport:
    return FakeReport(*argv, raw=False, **order)


def python(code: str, **order: object) -> FakeReport:
    return FakeReport(sys.executable, "-c", code, **order)


def test_a_management_command_succeeds(run: Run) -> None:
    report = management("chatty", "--lines", "20")
    ending = run(report)
    assert (ending.end_kind, ending.exit_code, ending.wrote_stderr) == ("exited", 0, True), report.text(2)
    assert report.text(1).splitlines()[-1] == "line 20 of 20"
    assert report.text(2) == "10 lines so far\n20 lines so far\n"
    assert report.text(0) == ""
    assert report.ending == ending


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        ((), 1, "RuntimeError: something broke"),
        (("--command-error",), 1, "CommandError: it cannot be done"),
        (("--status", "3"), 3, ""),
        (("--signal", "9"), -9, ""),
    ],
)
def test_a_failed_management_command_reports_exit_status_and_stderr(
    run: Run, words: tuple[str, ...], status: int, message: str
) -> None:
    report = management("fails", *words)
    ending = run(report)
    assert (ending.end_kind, ending.exit_code) == ("exited", status)
    assert message in report.text(2)
    assert ending.wrote_stderr is bool(message)
    assert "keeper" not in report.text(2)


def test_an_unknown_management_command_fails_with_a_message(run: Run) -> None:
    report = management("no_such_command")
    assert run(report).exit_code == 1
    assert "no_such_command" in report.text(2)


@pytest.mark.parametrize("status", [0, 1, 77])
def test_the_exit_status_of_a_raw_command_is_stored(run: Run, status: int) -> None:
    assert run(FakeReport("sh", "-c", f"exit {status}")).exit_code == status


def test_a_missing_raw_command_has_the_exit_status_of_a_shell(run: Run) -> None:
    report = FakeReport("/no/such/program")
    assert run(report).exit_code == 127
    assert "/no/such/program" in report.text(2)


def test_a_missing_working_directory_is_named_in_the_error(run: Run) -> None:
    report = FakeReport("true", cwd="/no/such/directory")
    assert run(report).exit_code == 126
    assert "/no/such/directory" in report.text(2)


def test_a_command_gets_the_environment_and_directory_of_its_run(run: Run, tmp_path: Path) -> None:
    report = management("env_dump", "a word", "--flag", env={"GREETING": "héllo"}, cwd=str(tmp_path))
    assert run(report).exit_code == 0, report.text(2)
    seen = json.loads(report.text())
    assert seen["environ"]["GREETING"] == "héllo"
    assert seen["environ"]["CHRONIKER_RUN_ID"] == str(report.run_id)
    assert seen["environ"]["CHRONIKER_RUN_TOKEN"] == "7"
    assert Path(seen["cwd"]) == tmp_path
    assert (seen["words"], seen["flag"]) == (["a word"], True)


@linux
def test_a_command_inherits_no_state_of_its_worker(run: Run) -> None:
    report = management("env_dump", "--skip-checks")  # Django 6.1 connects to the database for them
    run(report)
    seen = json.loads(report.text())
    assert set(seen["descriptors"]) <= {0, 1, 2}
    assert seen["sigterm_default"]
    assert seen["signals_blocked"] == []
    assert seen["session"] != os.getsid(0)
    assert seen["stdin"] == os.devnull


@linux
def test_a_raw_command_cannot_gain_privileges_and_is_the_first_victim_of_the_oom_killer(run: Run) -> None:
    report = FakeReport("cat", "/proc/self/status", "/proc/self/oom_score_adj")
    run(report)
    assert "NoNewPrivs:\t1" in report.text()
    assert int(report.text().splitlines()[-1]) >= 300


def masks(text: str) -> dict[str, int]:
    """Signal masks by name, without the two signals that the C library reserves and that cannot be reset."""
    words = [line.split() for line in text.splitlines() if line.startswith("Sig")]
    return {name.rstrip(":"): int(mask, 16) & ~(0b11 << 31) for name, mask in words}


@linux
def test_a_raw_command_has_three_open_files_and_default_signal_handlers(run: Run) -> None:
    files = FakeReport("sh", "-c", "ls /proc/$$/fd")
    run(files)
    assert files.text().split()[:3] == ["0", "1", "2"]
    # Without a shell, which sets its own mask.
    report = FakeReport("grep", "-E", "Sig(Blk|Ign)", "/proc/self/status")
    run(report)
    assert masks(report.text()) == {"SigBlk": 0, "SigIgn": 0}


def test_output_of_c_code_and_grandchildren_is_stored_as_written(run: Run) -> None:
    words = ["--nul", "--non-ascii", "--broken-utf8", "--os-write", "--c-level", "--grandchild", "--no-newline"]
    report = management("spew", *words)
    assert run(report).exit_code == 0
    assert report.text() == (
        "before\u2400between\u2400after\nhéllo 你好 🙂\nbroken \ufffd\ufffd\ufffd utf-8\nwritten past python\n"
        "written by the c library\nwritten by a grandchild\nthe end, without a newline"
    )


def test_twenty_megabytes_in_one_line_are_stored_in_bounded_inserts(run: Run) -> None:
    report = FakeReport("sh", "-c", "head -c 20000000 /dev/zero | tr '\\0' x")
    assert run(report).exit_code == 0
    assert report.text() == "x" * 20_000_000
    assert report.largest_insert <= MAX_BATCH_LENGTH


def test_progress_is_reported_from_inside_the_command(run: Run) -> None:
    report = management("progress", "--parts", "77", "--upto", "13")
    assert run(report).progress == (77, 13)


@linux
def test_progress_is_reported_by_a_child_of_a_raw_command(supervise: Supervise) -> None:
    code = "import time; from chroniker.process import progress as p; p.write_progress_record(9, 8); "
    code += "print('ready', flush=True); time.sleep(60)"
    report = FakeReport("sh", "-c", f'{sys.executable} -c "{code}"; true')
    supervised = supervise(report)
    supervised.wait_for_text("ready")
    wait_until(lambda: report.progress == (9, 8), what="progress reported")
    report.stop = "enough seen"
    assert supervised.end().progress == (9, 8)


@linux
def test_progress_does_not_wait_for_the_next_heartbeat(supervise: Supervise) -> None:
    code = "import time; from chroniker.process import progress as p; p.write_progress_record(9, 8); time.sleep(5)"
    report = python(code, lease=3600.0, heartbeat=600.0)
    supervised = supervise(report)
    wait_until(lambda: report.progress == (9, 8) or not supervised.running(), what="progress reported")
    assert supervised.running(), "reported at the end only"
    assert supervised.end().exit_code == 0


def test_exit_handlers_run_threads_are_joined_and_streams_are_flushed(run: Run) -> None:
    report = management("exits_late")
    assert run(report).exit_code == 0
    assert report.text().split() == ["handled", "thread", "atexit"]


def test_logging_goes_to_the_stderr_of_the_command(run: Run) -> None:
    report = management("logs")
    assert run(report).exit_code == 0
    assert "a warning from the command" in report.text(2)


def test_streams_that_are_not_stored_are_still_read(run: Run) -> None:
    report = FakeReport(
        "sh", "-c", "head -c 300000 /dev/zero; head -c 300000 /dev/zero >&2", log_stdout=False, log_stderr=False
    )
    ending = run(report)
    assert (ending.exit_code, ending.wrote_stderr) == (0, True)
    assert not report.chunks


def test_the_log_is_capped_and_reports_the_missing_part(run: Run) -> None:
    report = FakeReport("sh", "-c", "seq 1 100000", log_max_bytes=10_000)
    assert run(report).exit_code == 0
    assert report.text().startswith("1\n2\n")
    assert report.text().endswith("\n100000\n")
    assert len(report.text()) == 7_500
    assert "bytes of stdout are missing" in report.text(0)


def test_cpu_time_and_memory_of_a_command_are_measured(run: Run) -> None:
    ending = run(python("sum(range(3_000_000))"))
    assert (ending.cpu_seconds or 0) > 0
    assert (ending.max_rss_kb or 0) > 1000


def test_a_stop_requested_before_the_start_prevents_the_start(run: Run, tmp_path: Path) -> None:
    ending = run(FakeReport("touch", str(tmp_path / "started"), stop_requested=True))
    assert (ending.end_kind, ending.exit_code) == ("stopped", None)
    assert not (tmp_path / "started").exists()
