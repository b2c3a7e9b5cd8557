"""A time that stands in for the database's clock in this process, for the tests of projects.

While it is set, every statement of this process gets it in place of the database's clock, and no jump is detected.
Other processes are not affected. Only ``chroniker.testing`` sets it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager

_moment: dt.datetime | None = None


def moment() -> dt.datetime | None:
    """The simulated time, in UTC; ``None``: the database's clock is in use."""
    return _moment


def set_moment(moment: dt.datetime) -> None:
    """Let the simulated time stand at ``moment``, which is aware."""
    global _moment
    _moment = moment.astimezone(dt.UTC)


@contextmanager
def simulated() -> Iterator[None]:
    """Within this block ``set_moment`` may be called; afterwards the clock is the one before."""
    global _moment
    before = _moment
    try:
        yield
    finally:
        _moment = before
