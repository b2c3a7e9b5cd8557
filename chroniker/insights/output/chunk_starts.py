"""Where each chunk of a run's output begins: the search for a line number or a stream, without reading the texts."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from datetime import datetime
from functools import reduce
from operator import or_
from typing import NamedTuple
from uuid import UUID

from django.db.models import Q, TextField, Value
from django.db.models.functions import Length, Replace

from chroniker.insights.output.pages import Cursor
from chroniker.models import LogChunk, Stream

#: The number of line ends in a chunk.
NEWLINE_COUNT_EXPRESSION = Length("text") - Length(Replace("text", Value("\n"), Value(""), output_field=TextField()))


class ChunkStart(NamedTuple):
    """Where a chunk begins: the cursor before it, the number of line ends before it, and its stream."""

    cursor: Cursor
    line_ends_before: int
    stream: int


class _Chunk(NamedTuple):
    written_at: datetime
    stream: int
    seq: int
    first_line: int | None


def fetch_chunk_starts(run_id: UUID) -> Iterator[ChunkStart]:
    """Every chunk in the order of the output. Two statements; it reads one short row per chunk, and no text.

    Chunks without a line number need one more statement, which counts the line ends in their text.
    """
    streams = _fetch_chunks_by_stream(run_id)
    before = {stream: _count_line_ends_before(run_id, stream, chunks) for stream, chunks in streams.items()}
    ends = {stream: 0 for stream in Stream}
    consumed = {stream: 0 for stream in Stream}
    last = _count_line_ends_in_last_chunks(run_id, streams)
    cursor = Cursor()
    for chunk in heapq.merge(*streams.values(), key=lambda chunk: chunk[:2]):
        stream = Stream(chunk.stream)
        at = consumed[stream] = consumed[stream] + 1
        ends[stream] = before[stream][at - 1]
        yield ChunkStart(cursor, sum(ends.values()), stream)
        is_last = at == len(streams[stream])
        ends[stream] = before[stream][at - 1] + last[stream] if is_last else before[stream][at]
        cursor = cursor.moved_to(stream, chunk.seq)


def _fetch_chunks_by_stream(run_id: UUID) -> dict[Stream, list[_Chunk]]:
    rows = LogChunk.objects.filter(run=run_id).order_by("stream", "seq")
    found: dict[Stream, list[_Chunk]] = {stream: [] for stream in Stream}
    for row in rows.values_list("written_at", "stream", "seq", "first_line"):
        found[Stream(row[1])].append(_Chunk(*row))
    return found


def _count_line_ends_before(run_id: UUID, stream: Stream, chunks: list[_Chunk]) -> list[int]:
    """The number of line ends of the stream before each of its chunks."""
    known = [chunk.first_line - 1 for chunk in chunks if chunk.first_line is not None]
    if len(known) == len(chunks):
        return known
    found, total = [], 0
    rows = LogChunk.objects.filter(run=run_id, stream=stream).order_by("seq")
    for first_line, inside in rows.values_list("first_line", NEWLINE_COUNT_EXPRESSION):
        found.append(total if first_line is None else first_line - 1)
        total = found[-1] + inside
    return found


def _count_line_ends_in_last_chunks(run_id: UUID, streams: dict[Stream, list[_Chunk]]) -> dict[Stream, int]:
    """The number of line ends in the last chunk of each stream."""
    ends = {stream: 0 for stream in Stream}
    last = [Q(run=run_id, stream=stream, seq=chunks[-1].seq) for stream, chunks in streams.items() if chunks]
    if last:
        ends |= {
            Stream(stream): n
            for stream, n in LogChunk.objects.filter(reduce(or_, last)).values_list("stream", NEWLINE_COUNT_EXPRESSION)
        }
    return ends
