"""How much a test does that could go on for hours: more at night than by day."""

from __future__ import annotations

import os
from typing import TypeVar

T = TypeVar("T")

#: ``python -m tests --nightly`` sets it.
AT_NIGHT = os.environ.get("CHRONIKER_TEST_EXAMPLES") == "nightly"


def by_day_or_at_night(day: T, night: T) -> T:
    """The first one in ``make test`` and before a merge, the second one in ``make nightly``."""
    return night if AT_NIGHT else day
