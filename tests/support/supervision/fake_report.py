"""A report that keeps everything in memory, with switches for failures of a database."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

from chroniker.process.kernel import boot_clock
from chroniker.process.run_spec import LeaseRenewalAnswer, RunOutcome, RunSpec
from chroniker.reasons import Reason
from chroniker.worker.output import Chunk


class DatabaseDown(Exception):
    """The exception of a database driver."""


class FakeReport:
    """In place of a database. `failing[name]`: how many of the next calls raise; `slow[name]`: seconds each takes."""

    def __init__(self, *argv: str, **order: Any) -> None:
        self.run_id = uuid4()
        values = {"raw": True, "lease": 20.0, "margin": 4.0, "heartbeat": 0.2, "grace": 0.5, **order}
        self.order: RunSpec | None = RunSpec(self.run_id, 7, 42, argv, **values)
        self.failing: dict[str, int] = {}
        self.slow: dict[str, float] = {}
        self.held = True
        self.stop: str | None = None
        self.refuses: Callable[[str], Exception | None] = lambda text: None
        self.chunks: dict[tuple[int, int], Chunk] = {}
        self.sent: list[tuple[int, int]] = []
        self.ending: RunOutcome | None = None
        self.notes: list[tuple[str, str]] = []  # kind, text
        self.calls: list[tuple[str, float, float]] = []
        self.progress: tuple[int, int] | None = None
        self.largest_insert = 0

    def _called(self, name: str) -> None:
        begun = boot_clock()
        time.sleep(self.slow.get(name, 0))
        self.calls.append((name, begun, boot_clock()))
        if self.failing.get(name, 0) > 0:
            self.failing[name] -= 1
            raise DatabaseDown(name)

    def start(self, pid: int) -> RunSpec | None:
        self._called("start")
        return self.order

    def renew(self, progress: tuple[int, int] | None) -> LeaseRenewalAnswer:
        self._called("renew")
        self.progress = progress
        return LeaseRenewalAnswer(self.held, self.stop)

    def store_output(self, chunks: Sequence[Chunk]) -> bool:
        self.largest_insert = max(self.largest_insert, sum(len(chunk.text) for chunk in chunks))
        self.sent += [(chunk.stream, chunk.seq) for chunk in chunks]
        self._called("output")
        for chunk in chunks:
            if refusal := self.refuses(chunk.text):
                raise refusal
        if self.held:
            self.chunks.update({(chunk.stream, chunk.seq): chunk for chunk in chunks})
        return self.held

    def finish(self, ending: RunOutcome) -> bool:
        self._called("finish")
        if self.held:
            self.ending = ending
        return self.held

    def release_lease(self) -> None:
        self._called("release")

    def record_event(self, kind: str, reason: Reason) -> None:
        self._called("note")
        self.notes.append((kind, str(reason)))

    def close(self) -> None:
        self.calls.append(("close", boot_clock(), boot_clock()))

    def text(self, stream: int = 1) -> str:
        """The stored text of a stream. Fails if a chunk number is missing."""
        numbers = sorted(seq for each, seq in list(self.chunks) if each == stream)
        assert numbers == list(range(len(numbers)))
        return "".join(self.chunks[stream, seq].text for seq in numbers)

    def names(self) -> list[str]:
        return [name for name, _, _ in list(self.calls) if name != "close"]
