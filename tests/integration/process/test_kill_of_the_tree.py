"""No process of a run is left after its end: descendants in other sessions, daemons and processes that keep forking."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import pytest

from chroniker.process import process_tree, run_marker
from chroniker.process.kernel import boot_clock
from chroniker.process.run_spec import RUN_ID_VARIABLE, RunOutcome
from chroniker.worker import run_control
from tests.support.processes import MARK, marked, wait_until
from tests.support.supervision import tree
from tests.support.supervision.fake_report import FakeReport
from tests.support.supervision.supervised import Supervise, Supervised

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="whole trees are killed where they can be seen")
Run = Callable[[FakeReport], RunOutcome]


#: The tree ignores SIGTERM before Python has started: a timeout may come while it is being made.
IGNORING = ("sh", "-c", 'trap \'\' TERM; exec "$0" "$@"')


class Tree(FakeReport):
    """A report for a run whose process tree can be found by a mark."""

    def __init__(self, seconds: float = 120, **order: object) -> None:
        self.mark = uuid4().hex
        super().__init__(*IGNORING, sys.executable, str(tree.__file__), f"{seconds}", env={MARK: self.mark}, **order)

    def living(self) -> list[int]:
        return [process.pid for process in marked(self.mark)]

    def finish(self, ending: RunOutcome) -> bool:
        """The process tree is dead before the finish is reported."""
        self.living_at_finish = self.living()
        return super().finish(ending)


def standing(supervise: Supervise, report: Tree) -> Supervised:
    supervised = supervise(report)
    supervised.wait_for_text("tree stands")
    return supervised


def keeper_of(report: FakeReport) -> int:
    """The keeper: the command reports the id of its parent process."""
    keeper = int(report.text().split("under ")[1].split()[0])
    assert Path(f"/proc/{keeper}/comm").read_text().strip() == "chroniker-keep"
    return keeper


def test_processes_left_behind_by_a_command_are_killed_and_named(supervise: Supervise) -> None:
    report = Tree(seconds=0)
    ending = standing(supervise, report).end()
    assert (ending.end_kind, ending.exit_code) == ("exited", 0)
    assert report.living_at_finish == []
    assert "left behind were killed" in report.text(0)
    assert "own-session" in report.text(0)


def test_a_child_that_ends_shortly_after_the_command_is_not_killed(run: Run) -> None:
    report = FakeReport("sh", "-c", "(while kill -0 $$ 2>/dev/null; do sleep 0.01; done; echo last words) & exit 0")
    assert run(report).exit_code == 0
    assert report.text() == "last words\n"
    assert report.text(0) == ""


def test_a_timeout_ends_the_whole_process_tree(run: Run) -> None:
    report = Tree(timeout=2.0, grace=0.3)
    ending = run(report)
    assert ending.end_kind == "timed_out"
    assert ending.exit_code == -signal.SIGKILL
    assert "longer than its timeout of 2 s" in str(ending.reason)
    assert "SIGTERM to the whole tree; SIGKILL to those left after 0.3 seconds" in report.text(0)
    assert report.living_at_finish == []


def test_a_command_can_clean_up_during_the_stop_grace(run: Run) -> None:
    code = "trap 'echo cleaning; sleep 0.3; echo clean; exit 5' TERM; echo begun; while :; do sleep 0.05; done"
    report = FakeReport("sh", "-c", code, timeout=2, grace=30)
    ending = run(report)
    assert (ending.end_kind, ending.exit_code) == ("timed_out", 5)
    assert report.text().split() == ["begun", "cleaning", "clean"]
    assert "all ended" in report.text(0)


class SlowOutput(FakeReport):
    """Stores output slowly until the outcome is reported."""

    def finish(self, ending: RunOutcome) -> bool:
        self.slow.clear()
        return super().finish(ending)


def test_after_a_timeout_the_outcome_is_reported_before_pending_output(run: Run) -> None:
    """The command writes all of it at once, and the timeout comes while the first part is being stored."""
    report = SlowOutput("sh", "-c", "seq 1 60000; sleep 600", timeout=3, grace=0.1)
    report.slow["output"] = 4
    assert run(report).end_kind == "timed_out"
    names = report.names()
    assert "output" in names[names.index("finish") :]
    assert report.text().endswith("\n60000\n")
    assert "outcome was reported before" in report.text(0)


def test_a_stop_ends_the_whole_process_tree(supervise: Supervise) -> None:
    report = Tree(grace=0.3)
    supervised = standing(supervise, report)
    report.stop = "Ada"
    ending = supervised.end()
    assert ending.end_kind == "stopped"
    assert str(ending.reason).startswith("a stop was requested by Ada; ")
    assert report.living_at_finish == []


def test_a_lost_lease_kills_the_process_tree_at_once(supervise: Supervise) -> None:
    report = Tree(grace=60)
    supervised = standing(supervise, report)
    report.held = False
    ending = supervised.end()
    assert ending.end_kind == "lost"
    assert report.living_at_finish == []
    assert "may be missing" in report.notes[-1][1]


def test_the_tree_is_killed_before_a_lease_that_cannot_be_renewed_expires(supervise: Supervise) -> None:
    report = Tree(lease=14.0, margin=10.0, heartbeat=0.3)
    supervised = standing(supervise, report)
    report.failing.update(renew=1000, finish=3)
    renewed = max(begun for name, begun, _ in report.calls if name == "renew")
    wait_until(lambda: not report.living(), what="the tree dead")
    assert boot_clock() < renewed + 14.0
    assert supervised.end().end_kind == "lost"
    names = report.names()
    assert "renew" not in names[names.index("finish") :], "a released lease is not renewed"


def test_the_command_survives_failing_renewals_while_the_lease_lasts(supervise: Supervise) -> None:
    report = FakeReport("sh", "-c", "echo begun; sleep 2.5; echo done", lease=6.0, margin=1.0)
    supervised = supervise(report)
    supervised.wait_for_text("begun")
    report.failing["renew"] = 3
    assert supervised.end().exit_code == 0
    assert report.failing["renew"] == 0


def test_killing_the_keeper_kills_its_process_tree(supervise: Supervise) -> None:
    report = Tree()
    supervised = standing(supervise, report)
    os.kill(keeper_of(report), signal.SIGKILL)
    ending = supervised.end()
    assert (ending.end_kind, ending.exit_code) == ("exited", None)
    assert "its keeper died" in str(ending.reason)
    assert report.living_at_finish == []
    assert "Its keeper died" in report.text(0)


def test_a_keeper_stopped_by_sigstop_is_continued(supervise: Supervise, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_control, "MAX_KEEPER_SILENCE", 6.0)
    report = FakeReport("sh", "-c", "echo begun under $PPID; sleep 4; echo done")
    supervised = supervise(report)
    supervised.wait_for_text("begun")
    os.kill(keeper_of(report), signal.SIGSTOP)
    ending = supervised.end()
    assert (ending.end_kind, ending.exit_code) == ("exited", 0)
    assert "done" in report.text()


@contextmanager
def stopped(keeper: int) -> Iterator[None]:
    """The keeper hangs, and so does its guard, which would continue it at once."""
    guard = int(Path(f"/proc/{keeper}/stat").read_text().rsplit(")", 1)[1].split()[1])
    os.kill(guard, signal.SIGSTOP)
    os.kill(keeper, signal.SIGSTOP)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):  # one started cold has been woken, and has ended
            os.kill(guard, signal.SIGCONT)


def test_the_supervisor_sweeps_when_the_keeper_no_longer_responds(
    supervise: Supervise, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chroniker.process.keeper_client.KeeperClient.continue_keeper_if_stopped", lambda self: None)
    report = Tree()
    supervised = standing(supervise, report)
    monkeypatch.setattr(run_control, "MAX_KEEPER_SILENCE", 1.0)
    with stopped(keeper_of(report)):
        wait_until(lambda: report.ending is not None)
    assert "stopped answering" in str(supervised.end().reason)
    assert report.living_at_finish == []


def test_the_tree_is_killed_on_a_lost_lease_even_if_the_keeper_is_stopped(
    supervise: Supervise, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("chroniker.process.keeper_client.KeeperClient.continue_keeper_if_stopped", lambda self: None)
    monkeypatch.setattr(run_control, "KILL_TIMEOUT", 0.5)
    report = Tree()
    supervised = standing(supervise, report)
    with stopped(keeper_of(report)):
        report.held = False
        wait_until(lambda: "finish" in report.names())
    assert supervised.end().end_kind == "lost"
    assert report.living_at_finish == []


def test_a_sweep_waits_until_the_killed_processes_have_ended() -> None:
    # The kernel frees much memory slowly, and hides the environment meanwhile.
    code = "block = b'.' * 2**30; print(flush=True); import time; time.sleep(60)"
    run_id = uuid4()
    with subprocess.Popen(
        [sys.executable, "-c", code], env={RUN_ID_VARIABLE: str(run_id)}, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stdout.readline() == "\n"
        assert run_marker.kill_processes_with_run_marker(run_id) == []
        assert process_tree.process_state(process.pid) == "Z"
