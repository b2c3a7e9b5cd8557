"""The search in a run's output: a bounded number of lines per request."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from chroniker.insights.output.ansi import remove_escapes, visible_text
from chroniker.insights.output.pages import Cursor, Page, fetch_page_after
from chroniker.insights.output.views import numbered_lines

#: One request reads no further page after so many lines, or so many matches.
MAX_LINES_READ, MAX_MATCHES = 20_000, 1000


@dataclass(frozen=True, slots=True)
class LineMatches:
    """The numbers of the lines that match. ``next``: where the search goes on; ``None`` at the end of the output."""

    numbers: list[int]
    next: Cursor | None


def search_lines(run_id: UUID, text: str, cursor: Cursor) -> LineMatches:
    """Search the visible text of the lines that end after ``cursor``, without regard to case."""
    wanted, read = text.casefold(), 0
    numbers: list[int] = []
    while read < MAX_LINES_READ and len(numbers) < MAX_MATCHES:
        page = fetch_page_after(run_id, cursor)
        if _may_page_match(page, wanted):
            found = numbered_lines(run_id, page)
            numbers += [line.number for line in found if wanted in visible_text(line.text).casefold()]
        read += sum(piece.text.count("\n") or 1 for piece in page.pieces)
        cursor = page.after
        if not page.more_after:
            return LineMatches(numbers, None)
    return LineMatches(numbers, cursor)


def _may_page_match(page: Page, wanted: str) -> bool:
    """False if no line of the page can match. This is much faster than a look at each line."""
    texts = {stream: [piece.text] for stream, piece in page.previous.items()}
    for piece in page.pieces:
        texts.setdefault(piece.stream, []).append(piece.text)
    return any(wanted in remove_escapes("".join(parts)).casefold() for parts in texts.values())
