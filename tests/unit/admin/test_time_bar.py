"""The parts of a time bar fill the picture, whatever their lengths."""

from __future__ import annotations

import datetime as dt
import itertools

from hypothesis import given
from hypothesis import strategies as st

from chroniker.admin.runs.time_bar import (
    BAR_WIDTH,
    CHARACTER_WIDTH,
    MIN_PART_WIDTH,
    PART_GAP,
    BarMoment,
    divide_time_into_bar_parts,
    divide_width,
)

LENGTHS = st.lists(st.floats(0, 1e7), min_size=1, max_size=6)


@given(LENGTHS, st.integers(1, 140))
def test_shares_fill_the_width_and_none_is_too_narrow(lengths: list[float], least: int) -> None:
    found = divide_width(lengths, 860, [least] * len(lengths))
    assert sum(found) == 860
    assert min(found) >= least


@given(LENGTHS)
def test_a_longer_part_is_not_drawn_narrower(lengths: list[float]) -> None:
    found = divide_width(lengths, 860, [100] * len(lengths))
    ordered = sorted(zip(lengths, found, strict=True))
    assert all(first[1] <= second[1] + 1 for first, second in itertools.pairwise(ordered))


def test_texts_that_do_not_fit_together_are_cut_in_proportion() -> None:
    assert divide_width([1, 1], 100, [300, 100]) == [75, 25]


def test_parts_follow_each_other_and_say_that_they_are_widened() -> None:
    at = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
    seconds = [0, 1, 1.5, 600]
    found = divide_time_into_bar_parts(
        [BarMoment(at + dt.timedelta(seconds=each), str(each), "gap") for each in seconds]
    )
    assert [part.x for part in found] == [0, MIN_PART_WIDTH, 2 * MIN_PART_WIDTH]
    assert [part.is_widened for part in found] == [True, True, False]
    assert sum(part.width + PART_GAP for part in found) == BAR_WIDTH
    assert found[2].length == dt.timedelta(seconds=598.5)
    assert divide_time_into_bar_parts([BarMoment(at, "alone")]) == []


def test_the_labels_at_the_ends_of_the_last_part_do_not_overlap() -> None:
    at = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
    moments = [BarMoment(at + dt.timedelta(seconds=each), "13:48:26 started", "gap") for each in (0, 600, 601)]
    end = "13:48:27 ended, exit status 1"
    needed = CHARACTER_WIDTH * (len(moments[1].label) + len(end))
    assert (
        divide_time_into_bar_parts(moments)[-1].width
        < needed
        < divide_time_into_bar_parts(moments, end_label=end)[-1].width
    )
