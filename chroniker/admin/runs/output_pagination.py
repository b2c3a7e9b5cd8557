"""Pagination of a run's output: pages of bounded size, read from either end."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple, Self
from uuid import UUID

from django.db.models import QuerySet
from django.db.models.functions import Length

from chroniker.models import LogChunk, Stream

#: Characters on one page. A single chunk may be longer.
BUDGET = 128 * 1024
#: Chunks of one stream that are read for one page.
MOST = 300


@dataclass(frozen=True, slots=True)
class Cursor:
    """A position in the output: the number of one chunk in each stream. Its text form is “-1.12.3”."""

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

    def moved(self, stream: int, seq: int) -> Cursor:
        return replace(self, **{Stream(stream).name.lower(): seq})


class Head(NamedTuple):
    """A chunk without its text."""

    stream: int
    seq: int
    written_at: datetime
    length: int


class Piece(NamedTuple):
    """A chunk as it is shown. ``missing``: the number of lost chunks of its stream just before it."""

    stream: Stream
    seq: int
    written_at: datetime
    text: str
    missing: int


@dataclass(frozen=True, slots=True)
class Page:
    """Consecutive output. ``before`` and ``after`` are the cursors of the neighbouring pages."""

    pieces: list[Piece]
    before: Cursor
    after: Cursor
    more_before: bool = False
    more_after: bool = False


@dataclass(slots=True)
class _Reach:
    """The chunks that one query per stream found in one direction, and those of them that fit on a page."""

    heads: list[list[Head]]
    chosen: list[Head] = field(default_factory=list)

    def choose(self, *, backwards: bool) -> None:
        """Merge the streams by time, each in its own order, until the page is full.

        The page ends where a stream may have more chunks than were read: later chunks of other streams come after them.
        """
        size = 0
        for head in heapq.merge(*self.heads, key=lambda head: (head.written_at, head.stream), reverse=backwards):
            size += head.length
            if self.chosen and size > BUDGET:
                return
            self.chosen.append(head)
            if len(self.heads[head.stream]) == MOST and head is self.heads[head.stream][-1]:
                return

    @property
    def has_more(self) -> bool:
        return len(self.chosen) < sum(map(len, self.heads)) or any(len(found) == MOST for found in self.heads)


def page_after(run_id: UUID, cursor: Cursor) -> Page:
    """The page that follows ``cursor``."""
    reach = _Reach([_heads(_stream(run_id, stream).filter(seq__gt=cursor[stream]), "seq") for stream in Stream])
    reach.choose(backwards=False)
    after = cursor
    for head in reach.chosen:
        after = after.moved(head.stream, head.seq)
    return Page(_pieces(run_id, reach.chosen, cursor), cursor, after, more_after=reach.has_more)


def page_before(run_id: UUID, cursor: Cursor) -> Page:
    """The page before the chunks at ``cursor``."""
    reach = _Reach([_heads(_stream(run_id, stream).filter(seq__lt=cursor[stream]), "-seq") for stream in Stream])
    return _backwards(run_id, reach, cursor)


def last_page(run_id: UUID) -> Page:
    """The last page."""
    reach = _Reach([_heads(_stream(run_id, stream), "-seq") for stream in Stream])
    end = Cursor()
    for stream, heads in zip(Stream, reach.heads, strict=True):
        end = end.moved(stream, heads[0].seq if heads else -1)
    beyond = Cursor(end.remark + 1, end.stdout + 1, end.stderr + 1)
    return replace(_backwards(run_id, reach, beyond), after=end)


def _backwards(run_id: UUID, reach: _Reach, cursor: Cursor) -> Page:
    reach.choose(backwards=True)
    before = cursor
    for head in reach.chosen:
        before = before.moved(head.stream, head.seq)
    pieces = _pieces(run_id, reach.chosen[::-1], None)
    return Page(pieces, before, cursor, more_before=reach.has_more)


def pages(run_id: UUID) -> Iterator[Page]:
    """All pages, one in memory at a time. For an open run: up to the output that is stored when the end is reached."""
    page = page_after(run_id, Cursor())
    while page.pieces:
        yield page
        page = page_after(run_id, page.after)


def _stream(run_id: UUID, stream: Stream) -> QuerySet[LogChunk]:
    return LogChunk.objects.filter(run=run_id, stream=stream)


def _heads(chunks: QuerySet[LogChunk], order: str) -> list[Head]:
    rows = chunks.order_by(order).values_list("stream", "seq", "written_at", Length("text"))
    return [Head(*row) for row in rows[:MOST]]


def _pieces(run_id: UUID, heads: list[Head], start: Cursor | None) -> list[Piece]:
    """Fetch the texts of these chunks only, so that a page costs its own size, however long the output is."""
    texts: dict[tuple[int, int], str] = {}
    missing: dict[tuple[int, int], int] = {}
    for stream in Stream:
        numbers = [head.seq for head in heads if head.stream == stream]
        if numbers:
            found = _stream(run_id, stream).filter(seq__range=(numbers[0], numbers[-1]))
            texts |= {(stream, seq): text for seq, text in found.values_list("seq", "text")}
            known = numbers if start is None else [start[stream], *numbers]
            missing |= {(stream, high): high - low - 1 for low, high in pairwise(known)}
    return [
        Piece(Stream(head.stream), head.seq, head.written_at, texts.get(head[:2], ""), missing.get(head[:2], 0))
        for head in heads
    ]
