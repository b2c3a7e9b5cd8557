from __future__ import annotations

import pytest

from chroniker.admin.operations.fleet_pictures import draw_clock_skew
from chroniker.admin.operations.timeline_picture import TIME_TEXT_WIDTH, _now_text_x


@pytest.mark.parametrize(
    ("dates", "x"),
    [
        ([], 504),
        ([100, 900], 504),
        ([510], 500 - TIME_TEXT_WIDTH),
        ([460], 460 + TIME_TEXT_WIDTH),
        ([500 - TIME_TEXT_WIDTH], 504),
    ],
)
def test_the_text_of_the_present_is_beside_a_date(dates: list[float], x: float) -> None:
    assert _now_text_x(500, dates) == x
    assert all(abs(x - date) >= TIME_TEXT_WIDTH or date > 500 for date in dates)


@pytest.mark.parametrize(("skew", "text"), [(0.0, "0.00 s"), (-0.004, "0.00 s"), (-0.006, "-0.01 s"), (1.5, "+1.50 s")])
def test_a_skew_of_less_than_a_hundredth_has_no_sign(skew: float, text: str) -> None:
    assert draw_clock_skew(skew)["text"] == text
