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
_PLACEHOLDER = "simulated time"
_is_left_open: ContextVar[bool] = ContextVar("_is_left_open", default=False)


def moment() -> dt.datetime | None:
    """The simulated time, in UTC; ``None``: the database's clock is in use."""
    return _moment


def set_moment(moment: dt.datetime) -> None:
    """Let the simulated time stand at ``moment``, which is aware."""
    global _moment
    _moment = moment.astimezone(dt.UTC)


def time_literal() -> str:
    """The content of an SQL literal: the simulated time; within ``compile_with_time_placeholder`` its placeholder."""
    return _PLACEHOLDER if _is_left_open.get() else f"{_moment:%Y-%m-%d %H:%M:%S.%f}"


@contextmanager
def compile_with_time_placeholder() -> Iterator[None]:
    """SQL compiled within this block contains a placeholder. Call ``fill_in_time`` at each execution."""
    token = _is_left_open.set(True)
    try:
        yield
    finally:
        _is_left_open.reset(token)


def fill_in_time(sql: str) -> str:
    """A statement that was compiled within ``compile_with_time_placeholder``, with the simulated time of now."""
    return sql if _moment is None else sql.replace(_PLACEHOLDER, time_literal())


@contextmanager
def simulate_time() -> Iterator[None]:
    """Within this block ``set_moment`` may be called. Afterwards the clock of before is in use again."""
    global _moment
    before = _moment
    try:
        yield
    finally:
        _moment = before
