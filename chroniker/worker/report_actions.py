"""The actions of a reporter. `ReportPlanner` decides on an action; the reporter's thread executes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from chroniker.process.run_spec import RunOutcome
from chroniker.worker.output import Chunk


@dataclass(frozen=True, slots=True)
class ClocksAndProgress:
    """The time of a decision on both clocks, and the command's progress at that time."""

    boot: float  #: the clock of leases
    monotonic: float  #: the clock of retries
    progress: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class StartRun:
    """Move the run to RUNNING. The lease begins after `sent_at` (boot clock)."""

    log_name: ClassVar[str] = "start"

    sent_at: float


@dataclass(frozen=True, slots=True)
class RenewLease:
    """Renew the lease. The new lease begins after `sent_at` (boot clock)."""

    log_name: ClassVar[str] = "renew"

    sent_at: float
    progress: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class InsertOutput:
    """Store output."""

    log_name: ClassVar[str] = "insert"

    chunks: Sequence[Chunk]


@dataclass(frozen=True, slots=True)
class FinishRun:
    """Report the outcome."""

    log_name: ClassVar[str] = "finish"

    outcome: RunOutcome


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do for `seconds`, unless an event arrives first."""

    seconds: float


@dataclass(frozen=True, slots=True)
class NothingToReport:
    """There is nothing left to report."""


Call: TypeAlias = StartRun | RenewLease | InsertOutput | FinishRun
Action: TypeAlias = Call | Wait | NothingToReport
