"""Numbered lines of a page of output. Pure.

A line belongs to one stream and is placed where it ends. Its number counts the line ends of all streams up to there.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from chroniker.insights.output.pages import Page, ShownChunk
from chroniker.models import Stream


class Line(NamedTuple):
    """One line, with its escape sequences and carriage returns."""

    number: int  #: from 1
    stream: Stream
    written_at: datetime  #: of the chunk in which it ends
    text: str
    lost_chunk_count: int = 0  #: of its stream, just before its end
    is_cut: bool = False  #: its beginning is on an earlier page
    is_open: bool = False  #: it has no end yet: more may follow, and its number may change


def split_into_lines(page: Page, line_ends_before: dict[Stream, int]) -> list[Line]:
    """The lines that end on this page; on the last page also those without an end.

    ``line_ends_before`` are the line ends before the page by stream, as in ``line_end_counts_before_page``.
    """
    reader = _LineReader(page, line_ends_before)
    found = [line for piece in page.pieces for line in reader.read(piece)]
    return found if page.more_after else [*found, *reader.lines_without_end()]


def line_end_counts_before_page(page: Page) -> dict[Stream, int | None]:
    """The number of line ends before the page in each stream. ``None``: its chunks do not say."""
    first: dict[Stream, ShownChunk] = {}
    for piece in page.pieces:
        first.setdefault(piece.stream, piece)
    return {stream: _line_end_count_before_page(page, stream, first.get(stream)) for stream in Stream}


def _line_end_count_before_page(page: Page, stream: Stream, first: ShownChunk | None) -> int | None:
    previous = page.previous.get(stream)
    if previous is not None and previous.first_line is not None:
        return previous.first_line - 1 + previous.text.count("\n")
    if first is not None and first.first_line is not None:
        return first.first_line - 1
    return 0 if page.before[stream] < 0 else None


class _LineReader:
    """Splits the pieces of several streams into lines, in the order in which the lines end."""

    def __init__(self, page: Page, line_ends_before: dict[Stream, int]) -> None:
        self._counts = dict(line_ends_before)
        self._began = {stream: _LineBeginning(page.previous.get(stream)) for stream in Stream}

    def read(self, piece: ShownChunk) -> list[Line]:
        began, found = self._began[piece.stream], []
        if piece.lost_chunk_count:
            began.reset_after_lost_chunks(piece.lost_chunk_count)
        if piece.first_line is not None:
            self._counts[piece.stream] = piece.first_line - 1
        *ended, rest = piece.text.split("\n")
        for text in ended:
            self._counts[piece.stream] += 1
            number = sum(self._counts.values())
            whole, lost = began.text + text, began.lost_chunk_count
            found.append(Line(number, piece.stream, piece.written_at, whole, lost, began.is_cut))
            began.clear()
        if rest:
            began.text, began.written_at = began.text + rest, piece.written_at
        return found

    def lines_without_end(self) -> list[Line]:
        ended = sum(self._counts.values())
        begun = [(stream, began) for stream, began in self._began.items() if began.text or began.lost_chunk_count]
        return [
            Line(ended + n, stream, began.written_at, began.text, began.lost_chunk_count, began.is_cut, is_open=True)
            for n, (stream, began) in enumerate(begun, 1)
            if began.written_at is not None
        ]


class _LineBeginning:
    """The beginning of a line whose end was not read yet. At the start of a page: from the chunk before it."""

    def __init__(self, previous: ShownChunk | None) -> None:
        self.text, self.lost_chunk_count, self.is_cut = "", 0, False
        self.written_at: datetime | None = None
        if previous is not None:
            _ended, newline, self.text = previous.text.rpartition("\n")
            self.is_cut = not newline and previous.seq > 0
            self.written_at = previous.written_at

    def clear(self) -> None:
        self.text, self.lost_chunk_count, self.is_cut = "", 0, False
        self.written_at = None

    def reset_after_lost_chunks(self, lost_count: int) -> None:
        """Chunks are lost here: the beginning does not belong to the text that follows."""
        self.text, self.lost_chunk_count, self.is_cut = "", self.lost_chunk_count + lost_count, True
