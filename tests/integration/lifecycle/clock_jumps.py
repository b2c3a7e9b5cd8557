"""A clock of the database that jumps, for the statements of chroniker."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from chroniker.clock import clock_state

Jump = Callable[[float], None]


def let_a_lease_pass() -> None:
    """End the hold-off; nothing else changes."""
    memory = clock_state.read_clock_state()
    assert memory is not None
    assert memory.suspension_seconds_left > 0
    clock_state.write_clock_state(dataclasses.replace(memory, until=memory.seen))
