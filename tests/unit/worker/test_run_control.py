"""The instructions of a supervisor to its keeper, decided without a process."""

from __future__ import annotations

from dataclasses import dataclass

from chroniker.reasons import Code
from chroniker.worker.run_control import (
    KILL_TIMEOUT,
    MAX_KEEPER_SILENCE,
    ExtendInstruction,
    KillInstruction,
    RunControl,
    StopInstruction,
)


@dataclass
class Lease:
    deadline: float = 50.0
    renewal_count: int = 0
    lease_lost_because: str = ""
    stop_requested_by: str = ""


def test_each_renewal_moves_the_deadline_once() -> None:
    control, lease = RunControl(), Lease(renewal_count=1, deadline=60.0)
    assert control.next_instructions(lease, 10.0, 0.0) == [ExtendInstruction(60.0)]
    assert control.next_instructions(lease, 11.0, 0.0) == []


def test_at_the_deadline_the_tree_is_killed_once() -> None:
    control = RunControl()
    assert control.next_instructions(Lease(), 49.9, 0.0) == []
    assert control.next_instructions(Lease(), 50.0, 0.0) == [KillInstruction(Code.LEASE_LATE)]
    assert control.next_instructions(Lease(), 51.0, 0.0) == []


def test_a_lost_lease_kills_the_tree_before_its_deadline() -> None:
    control = RunControl()
    assert control.next_instructions(Lease(lease_lost_because="gone", stop_requested_by="ann"), 1.0, 0.0) == [
        KillInstruction("gone")
    ]
    assert control.lease_lost_because == "gone"


def test_a_stop_is_forwarded_once_and_is_not_an_interruption() -> None:
    control = RunControl()
    control.stop_at = 0.0
    assert control.next_instructions(Lease(stop_requested_by="ann"), 1.0, 0.0) == [StopInstruction()]
    assert control.next_instructions(Lease(stop_requested_by="ann"), 2.0, 0.0) == []
    assert not control.interrupted


def test_a_shutdown_stops_the_run_at_its_time() -> None:
    control = RunControl()
    control.stop_at = 20.0
    assert control.next_instructions(Lease(), 19.0, 0.0) == []
    assert control.seconds_to_next_decision(Lease(), 19.0) == 1.0
    assert control.next_instructions(Lease(), 20.0, 0.0) == [StopInstruction()]
    assert control.interrupted


def test_a_keeper_that_does_not_respond_is_replaced() -> None:
    control = RunControl()

    def fault(silent: float = 0.0, dead: float = 0.0, now: float = 0.0) -> str:
        return control.find_keeper_fault(seconds_without_answer=silent, seconds_since_death=dead, monotonic=now)

    assert fault(MAX_KEEPER_SILENCE, KILL_TIMEOUT) == ""
    assert fault(silent=MAX_KEEPER_SILENCE + 1) == Code.KEEPER_SILENT
    assert fault(dead=KILL_TIMEOUT + 1) == Code.KEEPER_DIED
    control.next_instructions(Lease(), 50.0, 100.0)
    assert fault(now=100.0 + KILL_TIMEOUT) == ""
    assert fault(now=101.0 + KILL_TIMEOUT) == Code.KEEPER_SLOW
