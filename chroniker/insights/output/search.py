"""The search in a run's output: a bounded number of lines per request."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from chroniker.insights.output.ansi import plain
from chroniker.insights.output.pages import Cursor, page_after
from chroniker.insights.output.views import lines_of

#: One request reads no further page after so many lines, or so many matches.
STEP, MOST = 20_000, 1000


@dataclass(frozen=True, slots=True)
class Matches:
    """The numbers of the lines that match. ``next``: where the search goes on; ``None`` at the end of the output."""

    numbers: list[int]
    next: Cursor | None


def search(run_id: UUID, text: str, cursor: Cursor) -> Matches:
    """Search the visible text of the lines that end after ``cursor``, without regard to case."""
    wanted, read = text.casefold(), 0
    numbers: list[int] = []
    while read < STEP and len(numbers) < MOST:
        page = page_after(run_id, cursor)
        found = lines_of(run_id, page)
        numbers += [line.number for line in found if wanted in plain(line.text).casefold()]
        read += max(len(found), len(page.pieces))
        cursor = page.after
        if not page.more_after:
            return Matches(numbers, None)
    return Matches(numbers, cursor)
