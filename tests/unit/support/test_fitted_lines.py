"""Lines through measured costs."""

from __future__ import annotations

import pytest

from tests.benchmarks.growth import fitted, through


def test_points_of_a_line_give_this_line() -> None:
    fixed, slope = through([(x, 50 + 0.6 * x) for x in (1, 10, 100, 1_000, 10_000)])
    assert fixed == pytest.approx(50)
    assert slope == pytest.approx(0.6)


def test_the_largest_point_does_not_decide_alone() -> None:
    fixed, _slope = through([(1, 50), (10, 55), (100, 110), (10_000, 12_000)])
    assert 40 < fixed < 60


def test_a_line_needs_three_points_with_the_same_conditions() -> None:
    rows = [
        {"benchmark": "tick", "jobs": 100_000, "due": due, "history": 0, "cpu_ms": 50 + due} for due in (10, 100, 1_000)
    ]
    (line,) = fitted([*rows, {"benchmark": "tick", "jobs": 7, "due": 10, "history": 0, "cpu_ms": 9}])
    assert (line["grows with"], line["fixed ms"], line["ms for 1,000 more"]) == ("due", 50, 1_000)
    assert (line["from"], line["to"], line["farthest point"]) == (10, 1_000, "0%")
    assert fitted(rows[:2]) == []
