"""A time that stands in for the database's clock in this process, for the tests of projects.

While it is set, every statement of this process gets it in place of the database's clock, and no jump is detected.
Other processes are not affected. Only ``chroniker.testing`` sets it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_moment: dt.datetime | None = None
#: In a statement that is compiled once: the simulated time of each execution.
_TIME_PLACEHOLDER = "simulated time"
_uses_time_placeholder: ContextVar[bool] = ContextVar("_uses_time_placeholder", default=False)


def simulated_now() -> dt.datetime | None:
    """The simulated time, in UTC; ``None``: the database's clock is in use."""
    return _moment


def set_simulated_time(moment: dt.datetime) -> None:
    """Let the simulated time stand at ``moment``, which is aware."""
    global _moment
    _moment = moment.astimezone(dt.UTC)


def simulated_time_literal() -> str:
    """The content of an SQL literal: the simulated time; within ``compile_with_time_placeholder`` its placeholder."""
    return _TIME_PLACEHOLDER if _uses_time_placeholder.get() else f"{_moment:%Y-%m-%d %H:%M:%S.%f}"


@contextmanager
def compile_with_time_placeholder() -> Iterator[None]:
    """SQL compiled within this block contains a placeholder. Call ``insert_simulated_time`` at each execution."""
    token = _uses_time_placeholder.set(True)
    try:
        yield
    finally:
        _uses_time_placeholder.reset(token)


def insert_simulated_time(sql: str) -> str:
    """A statement that was compiled within ``compile_with_time_placeholder``, with the simulated time of now."""
    return sql if _moment is None else sql.replace(_TIME_PLACEHOLDER, simulated_time_literal())


@contextmanager
def simulate_time() -> Iterator[None]:
    """Within this block ``set_simulated_time`` may be called. Afterwards the clock of before is in use again."""
    global _moment
    before = _moment
    try:
        yield
    finally:
        _moment = before
