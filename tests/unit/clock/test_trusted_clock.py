"""A reading within the bounds that a start in one statement tests is one that the evaluation trusts."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from chroniker.clock.clock_state import ClockObservation, ClockState, compute_next_state
from chroniker.clock.jump_detection import HostClocks, TrustedClock

#: The database clock minus the boot clock.
OFFSET = 1_000_000.0
#: A time of day is stored in microseconds.
ROUNDING = 0.00001


@given(
    width=st.floats(0.0, 3.0),
    elapsed=st.floats(0.0, 100_000.0),
    took=st.floats(0.0, 30.0),
    share=st.floats(0.0, 1.0),
)
@example(width=0.1, elapsed=10.0, took=5.0, share=1.0)
@example(width=0.1, elapsed=10.0, took=5.0, share=0.0)
def test_a_reading_within_the_bounds_is_trusted(width: float, elapsed: float, took: float, share: float) -> None:
    memory = ClockState("boot", 100.0, OFFSET, OFFSET + width, "a:1")
    asked_at = 100.0 + elapsed
    lowest, highest = TrustedClock(memory, "a:1").bounds_of_trusted_readings(HostClocks(asked_at, 0.0))
    now = lowest.timestamp() + ROUNDING + share * ((highest - lowest).total_seconds() - 2 * ROUNDING)
    assert compute_next_state(memory, ClockObservation(now, asked_at, asked_at + took, "a:1")).until == 0.0


@given(elapsed=st.floats(0.0, 100_000.0), beyond=st.floats(0.001, 10_000.0))
def test_a_quick_reading_that_is_not_trusted_is_outside_the_bounds(elapsed: float, beyond: float) -> None:
    memory = ClockState("boot", 100.0, OFFSET, OFFSET + 0.1, "a:1")
    asked_at = 100.0 + elapsed
    lowest, highest = TrustedClock(memory, "a:1").bounds_of_trusted_readings(HostClocks(asked_at, 0.0))
    for now in (lowest.timestamp() - beyond, highest.timestamp() + beyond):
        assert compute_next_state(memory, ClockObservation(now, asked_at, asked_at, "a:1")).until > 0.0
