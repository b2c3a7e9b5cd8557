"""A run's output: from the bytes of its pipes to numbered chunks of text, which wait to be stored."""

from __future__ import annotations

import codecs
import dataclasses
import itertools
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from chroniker.process.kernel import host_clock

REMARK_STREAM, STDOUT, STDERR = 0, 1, 2
MAX_CHUNK_LENGTH = 64 * 1024  #: characters at most in one chunk
MAX_BATCH_LENGTH = 1024 * 1024  #: characters in one insert, unless the database is slow
FLUSH_SECONDS = 1.0  #: text waits no longer than this for its chunk to become full
_MAX_TAIL_BYTES = 128 * 1024
_RECENT_BYTES_KEPT, _MAX_LINE_LENGTH = 2048, 300
_STREAM_NAMES = {STDOUT: "stdout", STDERR: "stderr"}
_NUL, _VISIBLE_NUL = "\0", "\u2400"  # PostgreSQL stores no NUL


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of one stream. In each stream `seq` counts from 0 without gaps, so a repeated insert is harmless."""

    stream: int
    seq: int
    text: str
    written_at: datetime
    first_line: int = 1  #: the number, in its stream, of the line that the text begins in; lines count from 1


class ChunkNumbering:
    """Numbers the chunks of one stream, and the first line of each chunk."""

    def __init__(self, stream: int) -> None:
        self.stream = stream
        self._numbers = itertools.count()
        self._line = 1

    def make_chunk(self, text: str) -> Chunk:
        first_line, self._line = self._line, self._line + text.count("\n")
        return Chunk(self.stream, next(self._numbers), text, datetime.fromtimestamp(host_clock.wall(), UTC), first_line)


class OutputLimit:
    """The number of bytes of output that a run may keep, for both streams together.

    A quarter of it, at most 128 KiB, is reserved for the end (tail) of each stream. Both streams share the rest (head):
    the bytes that arrive first get it.
    """

    def __init__(self, limit: int | None) -> None:
        self.tail = 0 if limit is None else min(limit // 4, _MAX_TAIL_BYTES)
        self._left = None if limit is None else max(limit - 2 * self.tail, 0)

    def take(self, byte_count: int) -> int:
        """Take up to ``byte_count`` bytes of the head; returns how many."""
        if self._left is None:
            return byte_count
        granted = min(byte_count, self._left)
        self._left -= granted
        return granted


class OutputStream:
    """Converts the bytes of one stream to chunks. Keeps at most one chunk, one read and the tail in memory.

    Bytes that are not UTF-8 become U+FFFD, NUL becomes U+2400. If the output exceeds the allowance, the
    head and the tail are kept; a remark between them says how many bytes are missing.
    """

    def __init__(self, stream: int, allowance: OutputLimit, remarks: ChunkNumbering) -> None:
        self.received = 0
        self._recent = b""
        self._numbering = ChunkNumbering(stream)
        self._allowance = allowance
        self._remarks = remarks
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._parts: list[str] = []
        self._length = 0
        self._waiting_since: float | None = None
        self._kept = 0
        self._tail = bytearray()

    @property
    def next_flush_time(self) -> float | None:
        """When (monotonic clock) to flush the waiting text; None if no text waits."""
        return None if self._waiting_since is None else self._waiting_since + FLUSH_SECONDS

    def feed(self, data: bytes) -> list[Chunk]:
        """Take bytes; returns the chunks that became full."""
        self.received += len(data)
        self._recent = (self._recent + data[-_RECENT_BYTES_KEPT:])[-_RECENT_BYTES_KEPT:]
        # After the first byte for the tail, all later bytes go there: the allowance never grows again.
        granted = self._allowance.take(len(data))
        self._kept += granted
        self._append(self._decoder.decode(data[:granted]))
        self._tail += data[granted:]
        if len(self._tail) > 2 * self._allowance.tail:  # cut rarely, so that most bytes are moved only once
            self._cut_tail()
        return self._cut_full_chunks()

    @property
    def last_line(self) -> str:
        """The last line that is not empty, if the last bytes contain one. Control characters are removed."""
        for line in reversed(self._recent.decode("utf-8", "replace").splitlines()):
            if text := "".join(filter(str.isprintable, line)).strip():
                return text[:_MAX_LINE_LENGTH]
        return ""

    def flush(self) -> list[Chunk]:
        """Return the waiting text as a chunk. An incomplete character stays until the rest of it arrives."""
        chunks = self._cut_full_chunks()
        if self._length:
            chunks.append(self._numbering.make_chunk("".join(self._parts)))
            self._replace_waiting_text("")
        return chunks

    def close(self) -> list[Chunk]:
        """The stream has ended: returns the waiting text, then the remark about missing bytes, then the tail."""
        self._append(self._decoder.decode(b"", final=True))
        chunks = self.flush()
        self._cut_tail()
        missing = self.received - self._kept - len(self._tail)
        if missing:
            name = _STREAM_NAMES[self._numbering.stream]
            limit = "over the limit of this job's log"
            chunks.append(self._remarks.make_chunk(f"{missing} bytes of {name} are missing here: {limit}.\n"))
        self._append(self._tail.decode("utf-8", "replace"))
        self._kept += len(self._tail)
        self._tail.clear()
        return chunks + self.flush()

    def _append(self, text: str) -> None:
        if text:
            self._parts.append(text.replace(_NUL, _VISIBLE_NUL))
            self._length += len(text)
            self._waiting_since = self._waiting_since or host_clock.monotonic()

    def _cut_full_chunks(self) -> list[Chunk]:
        if self._length < MAX_CHUNK_LENGTH:
            return []
        text = "".join(self._parts)
        whole = len(text) - len(text) % MAX_CHUNK_LENGTH
        self._replace_waiting_text(text[whole:])
        return [
            self._numbering.make_chunk(text[start : start + MAX_CHUNK_LENGTH])
            for start in range(0, whole, MAX_CHUNK_LENGTH)
        ]

    def _replace_waiting_text(self, text: str) -> None:
        self._parts = [text] if text else []
        self._length = len(text)
        self._waiting_since = host_clock.monotonic() if text else None

    def _cut_tail(self) -> None:
        del self._tail[: max(len(self._tail) - self._allowance.tail, 0)]


def escape_chunk(chunk: Chunk) -> Chunk:
    """The same chunk in ASCII, for a database that refuses some of its characters."""
    lines = (line.encode("unicode_escape").decode("ascii") for line in chunk.text.split("\n"))
    return dataclasses.replace(chunk, text="\n".join(lines))


def replace_refused_chunk(chunk: Chunk) -> Chunk:
    """A replacement for a chunk that the database refuses even in ASCII: it gives the length of the text."""
    note = f"[{len(chunk.text)} characters that the database refused]\n"
    return dataclasses.replace(chunk, text=note)


class OutputQueue:
    """A queue of chunks. A chunk stays in it, with its number, until it is stored; so a repeated insert is harmless.

    The queue has no lock of its own: the reporter locks it.
    """

    def __init__(self) -> None:
        self.size = 0  #: how many characters wait
        self.missing = 0  #: how many characters will never be stored
        self._queue: deque[Chunk] = deque()
        self._bound = MAX_BATCH_LENGTH
        self._closed = False

    def __bool__(self) -> bool:
        return bool(self._queue)

    @property
    def unstored_characters(self) -> int:
        """Characters of the command's own output that wait."""
        return sum(len(chunk.text) for chunk in self._queue if chunk.stream != REMARK_STREAM)

    def put(self, chunks: Sequence[Chunk]) -> None:
        size = sum(len(chunk.text) for chunk in chunks)
        if self._closed:
            self.missing += size
        else:
            self._queue.extend(chunks)
            self.size += size

    def next_batch(self) -> list[Chunk]:
        """The chunks of the next insert: at least one, and no more than the bound."""
        batch: list[Chunk] = []
        size = 0
        for chunk in self._queue:
            size += len(chunk.text)
            if batch and size > self._bound:
                break
            batch.append(chunk)
        return batch

    def on_stored(self, batch: Sequence[Chunk]) -> None:
        self._bound = min(max(2 * self._bound, 2 * MAX_CHUNK_LENGTH), MAX_BATCH_LENGTH)
        for _ in batch:
            self.size -= len(self._queue.popleft().text)

    def on_failure(self) -> None:
        """Use smaller batches: a slow insert may succeed in two parts."""
        self._bound = max(self._bound // 2, MAX_CHUNK_LENGTH)

    def on_refusal(self, batch: Sequence[Chunk]) -> None:
        """Handle a batch with a text that the database refused. First insert single chunks, to find the text. Then
        escape the text. If that is refused too, replace it."""
        if len(batch) > 1:
            self._bound = 0
            return
        [chunk] = batch
        other = escape_chunk(chunk)
        self._queue[0] = replace_refused_chunk(chunk) if other.text == chunk.text else other
        self.size += len(self._queue[0].text) - len(chunk.text)

    def close(self) -> None:
        """Drop all chunks: nothing more will be stored."""
        self._closed = True
        self.missing += self.size
        self._queue.clear()
        self.size = 0
