"""Views of a run's output: a bounded number of lines at a place, at either end, or around a line number."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self
from uuid import UUID

from django.db.models import Sum

from chroniker.insights.output.chunk_starts import NEWLINE_COUNT_EXPRESSION, ChunkStart, fetch_chunk_starts
from chroniker.insights.output.lines import Line, line_end_counts_before_page, split_into_lines
from chroniker.insights.output.pages import Cursor, Page, fetch_last_page, fetch_page_after, fetch_page_before
from chroniker.models import LogChunk, Stream

#: Lines in one view.
LINES_PER_VIEW = 1000
#: Lines that a view shows before its target.
LINES_BEFORE_TARGET = 200
#: Pages in a row without a line end that one request reads. They are parts of one very long line.
MAX_PAGES_WITHOUT_LINE_END = 16


@dataclass(frozen=True, slots=True)
class OutputPlace:
    """A position between lines: a cursor, and how many lines lie between it and the place. Text: “-1.12.3+40”."""

    cursor: Cursor
    skip: int = 0

    @classmethod
    def parse(cls, text: str) -> Self:
        """The inverse of ``str``. Raises ``ValueError``."""
        cursor, _plus, skip = text.partition("+")
        return cls(Cursor.parse(cursor), max(0, min(int(skip or 0), 2**31 - 1)))

    def __str__(self) -> str:
        return f"{self.cursor}+{self.skip}" if self.skip else str(self.cursor)


@dataclass(frozen=True, slots=True)
class OutputView:
    """Consecutive lines, and the places at its two ends."""

    lines: list[Line]
    before: OutputPlace
    after: OutputPlace
    more_before: bool
    more_after: bool


def fetch_view_after(run_id: UUID, place: OutputPlace, limit: int = LINES_PER_VIEW) -> OutputView:
    """The lines that follow ``place``. Empty at the end of the output."""
    place, page, found = _fetch_page_containing_place(run_id, place)
    shown = found[place.skip : place.skip + limit]
    rest = len(found) > place.skip + limit
    after = OutputPlace(place.cursor, place.skip + limit) if rest else OutputPlace(page.after)
    return OutputView(shown, place, after, page.more_before or place.skip > 0, rest or page.more_after)


def fetch_view_before(run_id: UUID, place: OutputPlace, limit: int = LINES_PER_VIEW) -> OutputView:
    """The lines that end at ``place``. Empty at the beginning of the output."""
    if place.skip:
        last, page, found = _fetch_page_containing_place(run_id, OutputPlace(place.cursor, place.skip - 1))
        return _view_of_last_lines(found[: last.skip + 1], last.cursor, place, limit, page.more_before)
    page = fetch_page_before(run_id, place.cursor)
    found = numbered_lines(run_id, page)
    for _page in range(MAX_PAGES_WITHOUT_LINE_END):
        if found or not page.more_before:
            break
        page = fetch_page_before(run_id, page.before)
        found = numbered_lines(run_id, page)
    return _view_of_last_lines(found, page.before, place, limit, page.more_before)


def _fetch_page_containing_place(run_id: UUID, place: OutputPlace) -> tuple[OutputPlace, Page, list[Line]]:
    """The page that holds the line after ``place``, its lines, and ``place`` relative to this page."""
    page = fetch_page_after(run_id, place.cursor)
    found = numbered_lines(run_id, page)
    for _page in range(MAX_PAGES_WITHOUT_LINE_END):
        if len(found) > place.skip or not page.more_after:
            break
        place = OutputPlace(page.after, max(0, place.skip - len(found)))
        page = fetch_page_after(run_id, place.cursor)
        found = numbered_lines(run_id, page)
    return place, page, found


def fetch_last_view(run_id: UUID, limit: int = LINES_PER_VIEW) -> OutputView:
    """The last lines, also those without an end."""
    page = fetch_last_page(run_id)
    view = _view_of_last_lines(
        numbered_lines(run_id, page), page.before, OutputPlace(page.after), limit, page.more_before
    )
    return replace(view, more_after=False)


def fetch_first_view(run_id: UUID, limit: int = LINES_PER_VIEW) -> OutputView:
    return fetch_view_after(run_id, OutputPlace(Cursor()), limit)


def fetch_view_of_line(run_id: UUID, number: int, limit: int = LINES_PER_VIEW) -> OutputView:
    """The view that holds the line with this number; the last view if there are fewer lines."""
    starts = list(fetch_chunk_starts(run_id))
    # With very long lines before it, a view from there may end before the line.
    for context in (
        LINES_BEFORE_TARGET,
        0,
    ):
        view = fetch_view_after(run_id, _place_after_lines(starts, max(number - 1 - context, 0)), limit)
        if view.lines and view.lines[-1].number >= number:
            return view
    return fetch_last_view(run_id, limit)


def _place_after_lines(starts: list[ChunkStart], line_count: int) -> OutputPlace:
    """The place after this number of lines."""
    found = next((start for start in reversed(starts) if start.line_ends_before <= line_count), None)
    return OutputPlace(found.cursor, line_count - found.line_ends_before) if found else OutputPlace(Cursor())


def find_first_stderr_line_number(run_id: UUID) -> int | None:
    """The number of the first line on standard error. ``None``: nothing was written there."""
    return next(
        (start.line_ends_before + 1 for start in fetch_chunk_starts(run_id) if start.stream == Stream.STDERR), None
    )


def _view_of_last_lines(
    lines: list[Line], start: Cursor, end: OutputPlace, limit: int, more_before: bool
) -> OutputView:
    cut = max(0, len(lines) - limit)
    return OutputView(lines[cut:], OutputPlace(start, cut), end, more_before or cut > 0, more_after=True)


def numbered_lines(run_id: UUID, page: Page) -> list[Line]:
    """The lines of a page. Another statement if its chunks do not store line numbers."""
    known = line_end_counts_before_page(page)
    missing = [stream for stream, count in known.items() if count is None]
    counted = _count_line_ends_before(run_id, page.before, missing) if missing else {}
    return split_into_lines(page, {stream: counted.get(stream, count or 0) for stream, count in known.items()})


def _count_line_ends_before(run_id: UUID, cursor: Cursor, streams: list[Stream]) -> dict[Stream, int]:
    """The line ends before ``cursor``, counted in the text: for chunks without a line number, which are few."""
    found = {}
    for stream in streams:
        chunks = LogChunk.objects.filter(run=run_id, stream=stream, seq__lte=cursor[stream])
        found[stream] = chunks.aggregate(n=Sum(NEWLINE_COUNT_EXPRESSION))["n"] or 0
    return found
