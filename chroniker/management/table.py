"""Tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from chroniker.escaping import to_one_line


def table_lines(rows: Sequence[Sequence[str]], header: Sequence[str]) -> Iterator[str]:
    """The lines of a table with aligned columns. No lines if there are no rows."""
    if not rows:
        return
    lines = [header, *([to_one_line(cell) for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    for line in lines:
        yield "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
