"""Pages of a run's output: whole chunks, bounded in size, read from either end."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Any, NamedTuple, Self
from uuid import UUID

from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Length

from chroniker.models import LogChunk, Run, Stream

#: Characters on one page. A single chunk may be longer.
MAX_PAGE_CHARACTERS = 128 * 1024
#: Chunks of one stream that are read for one page.
MAX_CHUNKS_PER_STREAM = 300
#: The most characters, and chunks, that are read before a page to find the beginning of a line.
MAX_BEGINNING_CHARACTERS, MAX_EARLIER_CHUNKS = 16 * 1024, 500


@dataclass(frozen=True, slots=True)
class Cursor:
    """A position between chunks: in each stream the number of the last chunk before it. Its text form is “-1.12.3”."""

    remark: int = -1
    stdout: int = -1
    stderr: int = -1

    @classmethod
    def parse(cls, text: str) -> Self:
        """The inverse of ``str``. Raises ``ValueError``."""
        remark, stdout, stderr = (max(-1, min(int(number), 2**31 - 1)) for number in text.split("."))
        return cls(remark, stdout, stderr)

    def __str__(self) -> str:
        return f"{self.remark}.{self.stdout}.{self.stderr}"

    def __getitem__(self, stream: int) -> int:
        return (self.remark, self.stdout, self.stderr)[stream]

    def moved_to(self, stream: int, seq: int) -> Cursor:
        return replace(self, **{Stream(stream).name.lower(): seq})


class ChunkMetadata(NamedTuple):
    """A chunk without its text."""

    stream: int
    seq: int
    written_at: datetime
    first_line: int | None
    length: int = 0


class ShownChunk(NamedTuple):
    """A chunk as it is shown. ``lost_chunk_count``: of its stream, just before it."""

    stream: Stream
    seq: int
    written_at: datetime
    first_line: int | None
    text: str
    lost_chunk_count: int = 0


@dataclass(frozen=True, slots=True)
class Page:
    """Consecutive output.

    ``before`` and ``after`` are the cursors of the neighbouring pages. ``previous`` has for each stream the text just
    before the page, if it is stored: a line may begin there. It is one chunk, or several joined as one if the line is
    longer.
    """

    pieces: list[ShownChunk]
    before: Cursor
    after: Cursor
    more_before: bool = False
    more_after: bool = False
    previous: dict[Stream, ShownChunk] = field(default_factory=dict)


class _ChunkRange(NamedTuple):
    """The chunk numbers of one stream that may be on the page, and the last number in this direction."""

    low: int
    high: int
    farthest_seq: int


@dataclass(slots=True)
class _ChunkSelection:
    """The chunks that were read in one direction, and those of them that fit on a page."""

    ranges: dict[Stream, _ChunkRange]
    heads: list[ChunkMetadata]
    chosen: list[ChunkMetadata] = field(default_factory=list)

    def choose_until_full(self, *, backwards: bool) -> None:
        """Merge the streams by time, each in its own order, until the page is full.

        The page ends where a stream has more chunks than were read: later chunks of other streams come after them.
        """
        size = 0
        for head in self._merge_streams(backwards=backwards):
            size += head.length
            if self.chosen and size > MAX_PAGE_CHARACTERS:
                return
            self.chosen.append(head)
            chunk_range = self.ranges[Stream(head.stream)]
            if head.seq == (chunk_range.low if backwards else chunk_range.high) != chunk_range.farthest_seq:
                return

    def _merge_streams(self, *, backwards: bool) -> Iterator[ChunkMetadata]:
        streams = [
            sorted((head for head in self.heads if head.stream == stream), reverse=backwards) for stream in Stream
        ]
        return heapq.merge(*streams, key=lambda head: (head.written_at, head.stream), reverse=backwards)


def fetch_page_after(run_id: UUID, cursor: Cursor) -> Page:
    """The page that follows ``cursor``. Three statements."""
    ranges = {
        stream: _ChunkRange(near, min(near + MAX_CHUNKS_PER_STREAM - 1, end), end)
        for stream, near, end in _first_and_last_seqs(
            run_id, {stream: Q(seq__gt=cursor[stream]) for stream in Stream}, "seq"
        )
    }
    selection = _ChunkSelection(ranges, _fetch_chunk_metadata(run_id, ranges))
    selection.choose_until_full(backwards=False)
    after = cursor
    for head in selection.chosen:
        after = after.moved_to(head.stream, head.seq)
    more = any(after[stream] < chunk_range.farthest_seq for stream, chunk_range in ranges.items())
    return _fetch_page(run_id, selection, cursor, after, cursor != Cursor(), more)


def fetch_page_before(run_id: UUID, cursor: Cursor) -> Page:
    """The page that ends at ``cursor``. Three statements."""
    ranges = _last_chunk_ranges(run_id, {stream: Q(seq__lte=cursor[stream]) for stream in Stream})
    return _fetch_page_backwards(run_id, ranges, cursor, more_after=True)


def fetch_last_page(run_id: UUID) -> Page:
    """The last page. Three statements."""
    ranges = _last_chunk_ranges(run_id, {stream: Q() for stream in Stream})
    end = Cursor()
    for stream, chunk_range in ranges.items():
        end = end.moved_to(stream, chunk_range.high)
    return _fetch_page_backwards(run_id, ranges, end, more_after=False)


def iterate_pages(run_id: UUID) -> Iterator[Page]:
    """All pages, one in memory at a time. For an open run: up to the output that is stored when the end is reached."""
    page = fetch_page_after(run_id, Cursor())
    while page.pieces:
        yield page
        page = fetch_page_after(run_id, page.after)


def chunks_of_stream(run_id: UUID, stream: int) -> QuerySet[LogChunk]:
    return LogChunk.objects.filter(run=run_id, stream=stream)


def _fetch_page_backwards(run_id: UUID, ranges: dict[Stream, _ChunkRange], cursor: Cursor, *, more_after: bool) -> Page:
    selection = _ChunkSelection(ranges, _fetch_chunk_metadata(run_id, ranges))
    selection.choose_until_full(backwards=True)
    before = cursor
    for head in selection.chosen:
        before = before.moved_to(head.stream, head.seq - 1)
    selection.chosen.reverse()
    more = any(before[stream] >= chunk_range.farthest_seq for stream, chunk_range in ranges.items())
    return _fetch_page(run_id, selection, before, cursor, more, more_after)


def _last_chunk_ranges(run_id: UUID, conditions: dict[Stream, Q]) -> dict[Stream, _ChunkRange]:
    found = _first_and_last_seqs(run_id, conditions, "-seq")
    return {stream: _ChunkRange(max(near - MAX_CHUNKS_PER_STREAM + 1, end), near, end) for stream, near, end in found}


def _first_and_last_seqs(run_id: UUID, conditions: dict[Stream, Q], order: str) -> list[tuple[Stream, int, int]]:
    """For each stream that has such chunks: the number of the first one in this order, and of the last one."""
    opposite = order.removeprefix("-") if order.startswith("-") else f"-{order}"
    columns: dict[str, Any] = {}
    for stream, condition in conditions.items():
        chunks = LogChunk.objects.filter(condition, run=OuterRef("pk"), stream=stream)
        columns[f"near{stream}"] = Subquery(chunks.order_by(order).values("seq")[:1])
        columns[f"end{stream}"] = Subquery(chunks.order_by(opposite).values("seq")[:1])
    row: dict[str, Any] = Run.objects.filter(pk=run_id).values(**columns).first() or {}  # type: ignore[assignment]
    return [
        (stream, row[f"near{stream}"], row[f"end{stream}"])
        for stream in conditions
        if row.get(f"near{stream}") is not None
    ]


def _fetch_chunk_metadata(run_id: UUID, chunk_ranges: dict[Stream, _ChunkRange]) -> list[ChunkMetadata]:
    ranges = {stream: (chunk_range.low, chunk_range.high) for stream, chunk_range in chunk_ranges.items()}
    rows = _chunks_in_ranges(run_id, ranges).values_list("stream", "seq", "written_at", "first_line", Length("text"))
    return [ChunkMetadata(*row) for row in rows]


def _chunks_in_ranges(run_id: UUID, ranges: dict[Stream, tuple[int, int]]) -> QuerySet[LogChunk]:
    """The chunks with these numbers. Each branch names the run, so that each can use the index."""
    branches = [Q(run=run_id, stream=stream, seq__range=both) for stream, both in ranges.items()]
    return LogChunk.objects.filter(reduce(or_, branches)) if branches else LogChunk.objects.none()


def _fetch_page(
    run_id: UUID, selection: _ChunkSelection, before: Cursor, after: Cursor, more_before: bool, more_after: bool
) -> Page:
    """Fetch the texts of `selection.chosen` only, so that a page costs its own size, however long the output is."""
    ranges = {stream: (max(before[stream], 0), after[stream]) for stream in Stream if after[stream] >= 0}
    rows = _chunks_in_ranges(run_id, ranges).values_list("stream", "seq", "written_at", "first_line", "text")
    found = {row[:2]: ShownChunk(Stream(row[0]), *row[1:]) for row in rows}
    previous = {
        stream: _prepend_line_start(run_id, found[at]) for stream in Stream if (at := (stream, before[stream])) in found
    }
    last = {stream: before[stream] for stream in Stream}
    pieces = []
    for head in selection.chosen:
        piece = found.get(head[:2]) or ShownChunk(Stream(head.stream), head.seq, head.written_at, head.first_line, "")
        pieces.append(piece._replace(lost_chunk_count=head.seq - last[piece.stream] - 1))
        last[piece.stream] = head.seq
    return Page(pieces, before, after, more_before, more_after, previous)


def _prepend_line_start(run_id: UUID, piece: ShownChunk) -> ShownChunk:
    """Join earlier chunks to a piece without a line end, as far as the limits allow. No statement, or two."""
    if "\n" in piece.text or piece.seq == 0 or len(piece.text) > MAX_BEGINNING_CHARACTERS:
        return piece
    lowest, room = piece.seq, MAX_BEGINNING_CHARACTERS - len(piece.text)
    earlier = chunks_of_stream(run_id, piece.stream).filter(seq__range=(piece.seq - MAX_EARLIER_CHUNKS, piece.seq - 1))
    for seq, length in earlier.order_by("-seq").values_list("seq", Length("text")):
        room -= length
        if seq != lowest - 1 or room < 0:
            break
        lowest = seq
    rows = earlier.filter(seq__gte=lowest).order_by("-seq").values_list("seq", "first_line", "text")
    for seq, first_line, text in rows:
        piece = piece._replace(seq=seq, first_line=first_line, text=text + piece.text)
        if "\n" in text:
            break
    return piece
