"""The lock of a run is held while the run executes; its wake socket wakes the supervisor."""

from __future__ import annotations

import os
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from chroniker.worker import wake_socket
from chroniker.worker.run_lock import RunLock, is_lock_held, kill_leftover_processes
from tests.support.processes import wait_until
from tests.support.supervision.fake_report import FakeReport
from tests.support.supervision.supervised import Supervised


def test_a_run_lock_has_one_holder(tmp_path: Path) -> None:
    run_id = uuid4()
    assert not is_lock_held(tmp_path, run_id)
    with RunLock.take(tmp_path, run_id) as lock:  # type: ignore[union-attr]
        assert lock
        assert is_lock_held(tmp_path, run_id)
        assert RunLock.take(tmp_path, run_id) is None
    assert not is_lock_held(tmp_path, run_id)
    assert list(tmp_path.iterdir()) == []


def test_checking_a_lock_does_not_prevent_taking_it(tmp_path: Path) -> None:
    run_id = uuid4()
    for _ in range(50):
        is_lock_held(tmp_path, run_id)
        lock = RunLock.take(tmp_path, run_id)
        assert lock is not None
        with lock:
            assert is_lock_held(tmp_path, run_id)


def test_a_lock_released_by_an_exception_leaves_its_file_for_the_sweep(tmp_path: Path) -> None:
    run_id = uuid4()
    with pytest.raises(KeyboardInterrupt), RunLock.take(tmp_path, run_id):  # type: ignore[union-attr]
        raise KeyboardInterrupt
    assert not is_lock_held(tmp_path, run_id)
    assert list(kill_leftover_processes(tmp_path)) == [run_id]
    (left,) = tmp_path.iterdir()  # ticks must see for some time that the run is dead
    os.utime(left, (0, 0))
    assert list(kill_leftover_processes(tmp_path)) == [run_id]
    assert list(tmp_path.iterdir()) == []


def test_the_sweep_ignores_files_that_are_not_run_locks(tmp_path: Path) -> None:
    (tmp_path / "other.lock").touch()
    assert not kill_leftover_processes(tmp_path)
    assert (tmp_path / "other.lock").exists()


def test_the_run_lock_is_held_while_the_run_executes(tmp_path: Path) -> None:
    report = FakeReport("sh", "-c", "echo begun; sleep 60", grace=0.1)
    supervised = Supervised(report, None, tmp_path)
    supervised.wait_for_text("begun")
    assert is_lock_held(tmp_path, report.run_id)
    report.stop = "seen"
    supervised.end()
    assert not is_lock_held(tmp_path, report.run_id)


def test_a_second_delivery_on_the_same_host_starts_nothing_and_is_recorded(tmp_path: Path) -> None:
    report = FakeReport("sh", "-c", "echo begun; sleep 60", grace=0.1)
    supervised = Supervised(report, None, tmp_path)
    supervised.wait_for_text("begun")
    second = FakeReport("true")
    second.run_id = report.run_id
    refused = Supervised(second, None, tmp_path)
    wait_until(lambda: not refused.running())
    assert (refused.ending, refused.error) == (None, None)
    assert [kind for kind, _ in second.notes] == ["REFUSED_DELIVERY"]
    assert "start" not in second.names()
    report.stop = "seen"
    supervised.end()


@pytest.mark.parametrize("depth", [0, 3])
def test_a_wake_message_makes_the_supervisor_renew_at_once(tmp_path: Path, depth: int) -> None:
    runtime_dir = tmp_path.joinpath(*["a-directory-with-a-long-name" * 2] * depth)
    report = FakeReport("sh", "-c", "echo begun; sleep 60", heartbeat=1000.0, lease=5000.0, grace=0.1)
    supervised = Supervised(report, None, runtime_dir)
    supervised.wait_for_text("begun")
    report.stop = "somebody asked"
    assert wake_socket.wake_supervisor(runtime_dir, report.run_id)
    assert supervised.end().end_kind == "stopped"


def test_a_wake_message_alone_changes_nothing(tmp_path: Path) -> None:
    report = FakeReport("sh", "-c", "echo begun; sleep 1; echo done", heartbeat=1000.0, lease=5000.0)
    supervised = Supervised(report, None, tmp_path)
    supervised.wait_for_text("begun")
    for _ in range(500):
        wake_socket.wake_supervisor(tmp_path, report.run_id)
    assert supervised.end().exit_code == 0
    assert report.names().count("renew") < 20


def test_waking_a_missing_supervisor_returns_false(tmp_path: Path) -> None:
    assert not wake_socket.wake_supervisor(tmp_path, uuid4())


def test_a_sweeper_looks_again_at_a_run_whose_lock_was_taken_again(tmp_path: Path) -> None:
    """The first supervisor died before the start; a second one may have started the run, and died too."""
    run_id = uuid4()
    leave_lock_file(tmp_path, run_id)
    swept = kill_leftover_processes(tmp_path)
    assert not kill_leftover_processes(tmp_path, already_swept=swept)
    leave_lock_file(tmp_path, run_id)
    assert list(kill_leftover_processes(tmp_path, already_swept=swept)) == [run_id]


def leave_lock_file(directory: Path, run_id: UUID) -> None:
    """As a supervisor that is killed leaves it."""
    lock = RunLock.take(directory, run_id)
    assert lock is not None
    os.close(lock.descriptor)
