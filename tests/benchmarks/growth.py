"""Lines through measured costs: a fixed part, and a part for each unit; and how far the points are from the line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tests.benchmarks.measuring import Row, figure


@dataclass(frozen=True, slots=True)
class Line:
    """``cost`` of the rows of one benchmark, by the column ``by``; the rows have the values ``where``.

    ``least``: points below it are no part of the line.
    """

    name: str
    benchmark: str
    by: str
    cost: str
    where: tuple[tuple[str, object], ...] = ()
    least: float = 0

    def points(self, rows: Sequence[Row]) -> list[tuple[float, float]]:
        mine = [row for row in rows if row["benchmark"] == self.benchmark and row.items() >= set(self.where)]
        return sorted((float(row[self.by]), float(row[self.cost])) for row in mine if row[self.by] >= self.least)


LINES = (
    Line("idle tick", "tick", "jobs", "cpu_ms", (("due", 0), ("history", 0))),
    Line("tick, 100 due", "tick", "jobs", "cpu_ms", (("due", 100), ("history", 0))),
    Line("tick, 100,000 jobs", "tick", "due", "cpu_ms", (("jobs", 100_000), ("history", 0)), least=1),
    Line("idle tick, 100,000 jobs", "tick", "history", "cpu_ms", (("jobs", 100_000), ("due", 0))),
    Line("tick, 100 due, 100,000 jobs", "tick", "history", "cpu_ms", (("jobs", 100_000), ("due", 100))),
    Line("cron_clean", "clean", "deleted", "cpu_ms"),
)


def fitted(rows: Sequence[Row]) -> list[Row]:
    """A row for each line with at least three different points."""
    return [found for line in LINES if (found := _fitted(line, line.points(rows)))]


def _fitted(line: Line, points: Sequence[tuple[float, float]]) -> Row | None:
    if len({x for x, _y in points}) < 3:
        return None
    fixed, slope = through(points)
    off = max(abs(y - fixed - slope * x) / y for x, y in points)
    return {
        "cost": line.name,
        "grows with": line.by,
        "fixed ms": figure(fixed),
        "ms for 1,000 more": figure(slope * 1000),
        "points": len(points),
        "from": int(points[0][0]),
        "to": int(points[-1][0]),
        "farthest point": f"{off:.0%}",
    }


def through(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """The line with the least squares of relative errors, so that the largest points do not decide alone."""
    weights = [1 / y**2 for _x, y in points]
    total = sum(weights)
    mean_x = sum(w * x for w, (x, _y) in zip(weights, points, strict=True)) / total
    mean_y = sum(w * y for w, (_x, y) in zip(weights, points, strict=True)) / total
    spread = sum(w * (x - mean_x) ** 2 for w, (x, _y) in zip(weights, points, strict=True))
    slope = sum(w * (x - mean_x) * (y - mean_y) for w, (x, y) in zip(weights, points, strict=True)) / spread
    return mean_y - slope * mean_x, slope
