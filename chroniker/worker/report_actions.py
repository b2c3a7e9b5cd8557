"""What a reporter can do next. `RunReport` decides on an action; the reporter's thread carries it out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from chroniker.process.run_spec import RunOutcome
from chroniker.worker.output import Chunk


@dataclass(frozen=True, slots=True)
class Moment:
    """When a decision is made, and the command's progress at that time."""

    boot: float  #: the clock of leases
    monotonic: float  #: the clock of retries
    progress: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Start:
    """Move the run to RUNNING. The lease begins after `asked` (boot clock)."""

    asked: float


@dataclass(frozen=True, slots=True)
class Renew:
    """Renew the lease. The new lease begins after `asked` (boot clock)."""

    asked: float
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
    """Nothing to do for so long, unless an event comes in first."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Done:
    """There is nothing left to report."""


Call: TypeAlias = Start | Renew | Insert | Finish
Action: TypeAlias = Call | Wait | Done
