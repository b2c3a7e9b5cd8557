"""How a run ended, as its supervisor reports it."""

from __future__ import annotations

from dataclasses import dataclass

from chroniker.models import Status


@dataclass(frozen=True, slots=True)
class Outcome:
    status: Status
    exit_code: int | None = None
    reason: str = ""
    progress: tuple[int, int] | None = None  #: (total, complete)
    unstored: int = 0  #: characters of output that are not stored yet
    retry_at_once: bool = False  #: if the run is retried, then without a back-off
