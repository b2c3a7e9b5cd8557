"""Which claims delete the surplus runs of their job."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from chroniker.scheduler import retention


@given(
    maximum=st.integers(1, 300),
    steps=st.lists(st.integers(1, 7), min_size=1, max_size=200),
    first=st.integers(0, 20),
)
@example(maximum=100, steps=[2] * 100, first=1)  # a skipped range and a run each time: all tokens of runs are odd
def test_few_runs_more_than_the_maximum_are_kept_however_many_tokens_each_claim_takes(
    maximum: int, steps: list[int], first: int
) -> None:
    last, kept_from = first, 0
    for step in steps:
        before, last = last, last + step
        if retention.must_delete_surplus_runs(maximum, before, last):
            kept_from = last - maximum
        surplus = last - kept_from - maximum
        assert (
            surplus < retention.MAX_SURPLUS_RUNS + max(steps)
            if maximum >= retention.LARGE_HISTORY_MAXIMUM
            else surplus <= 0
        )


def test_a_claim_below_the_maximum_and_one_that_keeps_everything_delete_nothing() -> None:
    assert not retention.must_delete_surplus_runs(0, 9, 10)
    assert not retention.must_delete_surplus_runs(10, 9, 10)
    assert retention.must_delete_surplus_runs(10, 10, 11)
