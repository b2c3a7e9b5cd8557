"""What a keeper decides, without processes and clocks."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from chroniker.process.keeper import Keeper
from chroniker.process.keeper_protocol import KeeperConnection
from chroniker.process.process_tree import KillResult
from chroniker.process.run_spec import RunSpec


class TreeWithALivingChild:
    """The command has ended; a process that it started takes no notice of SIGTERM."""

    status: int | None = 0
    cpu_seconds = 0.0
    max_rss_kb = 0

    def __init__(self, bell: socket.socket) -> None:
        self._bell = bell
        self.signals: list[int] = []

    def fileno(self) -> int:
        return self._bell.fileno()

    def clear_wakeup(self) -> None:
        """Nothing rings."""

    def start(self, spec: RunSpec) -> int:
        return 1

    def reap(self) -> bool:
        return True

    def signal(self, number: int) -> None:
        self.signals.append(number)

    def kill(self) -> KillResult:
        return KillResult()


@pytest.fixture
def keeper() -> Iterator[Keeper]:
    with ExitStack() as stack:
        near, far = socket.socketpair()
        bell, other = socket.socketpair()
        for each in (near, far, bell, other):
            stack.enter_context(each)
        keeper = Keeper(KeeperConnection(near), TreeWithALivingChild(bell))
        keeper._grace = 10.0
        yield keeper


@pytest.mark.parametrize("stopped_at", [99.0, 100.3], ids=["before the command ended", "while its processes linger"])
def test_a_stop_waits_for_its_grace_without_turning_in_a_loop(keeper: Keeper, stopped_at: float) -> None:
    if stopped_at > 100.0:
        assert keeper._check_for_end(100.0, False) == ""
    keeper._handle_messages([{"stop": True}], stopped_at)
    for now in (100.5, 101.0, 105.0):
        assert keeper._check_for_end(now, False) == ""
        assert keeper._longest_wait(now) > 0
    assert keeper._check_for_end(stopped_at + 10.0, False) == "stopped"


def test_a_timeout_that_passes_while_its_processes_linger_keeps_the_loop_asleep(keeper: Keeper) -> None:
    keeper._timeout_at = 100.2
    assert keeper._check_for_end(100.0, False) == ""
    assert keeper._longest_wait(100.3) > 0.1
    assert [keeper._check_for_end(now, False) for now in (100.3, 100.6)] == ["", "exited"]


def test_processes_of_a_command_that_ended_by_itself_have_half_a_second(keeper: Keeper) -> None:
    assert [keeper._check_for_end(now, False) for now in (100.0, 100.4, 100.6)] == ["", "", "exited"]


def test_sigterm_reaches_the_tree_once(keeper: Keeper) -> None:
    keeper._handle_messages([{"stop": True}, {"stop": True}], 100.0)
    tree = keeper._tree
    assert isinstance(tree, TreeWithALivingChild)
    assert tree.signals == [signal.SIGTERM, signal.SIGCONT]
