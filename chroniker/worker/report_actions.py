"""The actions of a reporter. `ReportPlanner` decides on an action; the reporter's thread executes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from chroniker.process.run_spec import RunOutcome
from chroniker.worker.output import Chunk


@dataclass(frozen=True, slots=True)
class ClocksAndProgress:
    """The time of a decision on both clocks, and the command's progress at that time."""

    boot: float  #: the clock of leases
    monotonic: float  #: the clock of retries
    progress: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Start:
    """Move the run to RUNNING. The lease begins after `sent_at` (boot clock)."""

    sent_at: float


@dataclass(frozen=True, slots=True)
class Renew:
    """Renew the lease. The new lease begins after `sent_at` (boot clock)."""

    sent_at: float
    progress: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Insert:
    """Store output."""

    chunks: Sequence[Chunk]


@dataclass(frozen=True, slots=True)
class Finish:
    """Report the outcome."""

    outcome: RunOutcome


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do for `seconds`, unless an event arrives first."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Done:
    """There is nothing left to report."""


Call: TypeAlias = Start | Renew | Insert | Finish
Action: TypeAlias = Call | Wait | Done
