"""The outcome of a run, as its supervisor reports it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from chroniker.models import Status
from chroniker.reasons import NO_REASON, Reason


@dataclass(frozen=True, slots=True)
class Outcome:
    status: Status
    exit_code: int | None = None
    reason: Reason | str = NO_REASON  #: a text is free text
    progress: tuple[int, int] | None = None  #: (total, complete)
    unstored: int = 0  #: characters of output that are not stored yet
    survivors: tuple[str, ...] = ()  #: names of processes that could not be killed: the job's slot waits for their end
    retry_at_once: bool = False  #: if the run is retried, then without a back-off

    def reason_columns(self) -> dict[str, Any]:
        reason = Reason(text=self.reason) if isinstance(self.reason, str) else self.reason
        return reason.columns()

    def reason_in_words(self) -> str:
        return str(self.reason)
