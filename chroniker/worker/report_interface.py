"""The interface between a supervisor and the database: the reports about one run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol
from uuid import UUID

from chroniker.process.run_spec import RunOutcome, RunSpec
from chroniker.reasons import Reason
from chroniker.worker.output import Chunk

#: Kinds of notes.
NOTE_EVENT_KIND, REFUSED_DELIVERY_EVENT_KIND = "NOTE", "REFUSED_DELIVERY"


class RenewalAnswer(Protocol):
    @property
    def held(self) -> bool: ...
    @property
    def stop_requested_by(self) -> str | None: ...


class Report(Protocol):
    """The reports of a supervisor about one run. Any call may raise, and is then repeated."""

    @property
    def run_id(self) -> UUID: ...
    def start(self, pid: int) -> RunSpec | None: ...
    def renew(self, progress: tuple[int, int] | None) -> RenewalAnswer: ...
    def store_output(self, chunks: Sequence[Chunk]) -> bool: ...
    def finish(self, ending: RunOutcome) -> bool: ...
    def release_lease(self) -> None: ...
    def record_event(self, kind: str, reason: Reason) -> None: ...
    def close(self) -> None: ...
