"""Decides which instructions a keeper gets, and when to replace the keeper. Uses no processes, sockets or clocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeAlias

from chroniker.reasons import Code

KILL_TIMEOUT = 5.0  #: how long a keeper may take for a kill before it is replaced by a sweep
MAX_KEEPER_SILENCE = 15.0  #: how long a keeper may take to acknowledge a message; SIGCONT after a third of this


class LeaseStatus(Protocol):
    """The state of the lease in the reporter."""

    @property
    def deadline(self) -> float: ...
    @property
    def renewal_count(self) -> int: ...
    @property
    def lease_lost_because(self) -> str: ...
    @property
    def stop_requested_by(self) -> str: ...


@dataclass(frozen=True, slots=True)
class KillInstruction:
    """Kill the tree at once."""

    why: str


@dataclass(frozen=True, slots=True)
class ExtendInstruction:
    """Move the keeper's deadline."""

    deadline: float


@dataclass(frozen=True, slots=True)
class StopInstruction:
    """Send SIGTERM, and SIGKILL after the grace time."""


Instruction: TypeAlias = KillInstruction | ExtendInstruction | StopInstruction


class RunControl:
    """The state of one supervision. Times are on the boot clock unless they say otherwise."""

    def __init__(self) -> None:
        self.lease_lost_because = ""  #: why the lease was lost and the tree killed
        self.stop_at = float("inf")  #: when the run is stopped because its worker shuts down
        self.interrupted = False  #: the run was stopped because its worker shuts down
        self._passed_renewals = 0
        self._stopping = False
        self._kill_sent_at = float("inf")  # monotonic clock

    def next_instructions(self, lease: LeaseStatus, now: float, monotonic: float) -> list[Instruction]:
        """The instructions to send to the keeper now. Each is returned once."""
        if self.lease_lost_because:
            return []
        if lease.lease_lost_because or now >= lease.deadline:
            self.lease_lost_because = lease.lease_lost_because or Code.LEASE_LATE
            self._kill_sent_at = monotonic
            return [KillInstruction(self.lease_lost_because)]
        found: list[Instruction] = []
        if lease.renewal_count != self._passed_renewals:
            self._passed_renewals = lease.renewal_count
            found.append(ExtendInstruction(lease.deadline))
        if not self._stopping and (lease.stop_requested_by or now >= self.stop_at):
            self._stopping = True
            self.interrupted = not lease.stop_requested_by
            found.append(StopInstruction())
        return found

    def seconds_to_next_decision(self, lease: LeaseStatus, now: float) -> float:
        """Seconds until a decision may change although no event arrives."""
        moments = [self.stop_at] if not self._stopping else []
        if not self.lease_lost_because:
            moments.append(lease.deadline)
        return min(moments, default=float("inf")) - now

    def find_keeper_fault(self, *, seconds_without_answer: float, seconds_since_death: float, monotonic: float) -> str:
        """Why a sweep must replace the keeper; empty: the keeper works. Call this after reading its messages."""
        if seconds_without_answer > MAX_KEEPER_SILENCE:
            return Code.KEEPER_SILENT
        if monotonic - self._kill_sent_at > KILL_TIMEOUT:
            return Code.KEEPER_SLOW
        if seconds_since_death > KILL_TIMEOUT:  # and its parent has not killed the tree
            return Code.KEEPER_DIED
        return ""
