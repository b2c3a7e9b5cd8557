"""Output that waits to be stored: in order, counted, in batches of bounded size."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from chroniker.worker.output import CHUNK, REMARKS, Chunk, escape, withhold

BATCH = 256 * 1024  #: characters in one insert


class OutputQueue:
    """A queue of chunks. A chunk leaves it when it was stored; until then its number stays, so a repeat is harmless.

    It does not lock: the reporter does.
    """

    def __init__(self) -> None:
        self.size = 0  #: characters that wait
        self.missing = 0  #: characters that will never be stored
        self._queue: deque[Chunk] = deque()
        self._bound = BATCH
        self._closed = False

    def __bool__(self) -> bool:
        return bool(self._queue)

    @property
    def unstored(self) -> int:
        """Characters of the command's own output that wait."""
        return sum(len(chunk.text) for chunk in self._queue if chunk.stream != REMARKS)

    def put(self, chunks: Sequence[Chunk]) -> None:
        size = sum(len(chunk.text) for chunk in chunks)
        if self._closed:
            self.missing += size
        else:
            self._queue.extend(chunks)
            self.size += size

    def batch(self) -> list[Chunk]:
        """The chunks of the next insert: at least one, and no more than the bound."""
        batch: list[Chunk] = []
        size = 0
        for chunk in self._queue:
            size += len(chunk.text)
            if batch and size > self._bound:
                break
            batch.append(chunk)
        return batch

    def stored(self, batch: Sequence[Chunk]) -> None:
        self._bound = BATCH
        for _ in batch:
            self.size -= len(self._queue.popleft().text)

    def failed(self) -> None:
        """Use smaller batches: a slow insert may succeed in two parts."""
        self._bound = max(self._bound // 2, CHUNK)

    def refused(self, batch: Sequence[Chunk]) -> None:
        """The database refused the data: insert single chunks to find it, then write it in ASCII, then replace it."""
        if len(batch) > 1:
            self._bound = 0
            return
        [chunk] = batch
        other = escape(chunk)
        self._queue[0] = withhold(chunk) if other.text == chunk.text else other
        self.size += len(self._queue[0].text) - len(chunk.text)

    def close(self) -> None:
        """Nothing more will be stored."""
        self._closed = True
        self.missing += self.size
        self._queue.clear()
        self.size = 0
