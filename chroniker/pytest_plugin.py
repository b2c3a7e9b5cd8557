"""The fixtures of ``chroniker.testing``, for pytest with pytest-django. Loaded by pytest in each project.

Imports no Django at module level: pytest loads it before the project's settings are known.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from chroniker.testing import Scheduler


@pytest.fixture
def chroniker_scheduler(db: None) -> Iterator[Scheduler]:
    """``chroniker.testing.scheduler``, which begins at midnight (UTC) of the current day."""
    from chroniker.testing import scheduler

    midnight = dt.datetime.now(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    with scheduler(midnight) as simulated:
        yield simulated


@pytest.fixture
def chroniker_inline(db: None) -> Iterator[None]:
    """Every executor executes its runs in this process: ``chroniker.run_now`` returns when the run has ended."""
    from chroniker.testing import inline_executors

    with inline_executors():
        yield
