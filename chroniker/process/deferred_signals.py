"""Delays signals that end the process until a short step is done."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

#: Signals that ask a process to end.
TERMINATION_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def deferred_signals() -> Iterator[None]:
    """The first SIGTERM or SIGINT within the block takes effect after it, a second one at once.

    Outside the main thread, where Python runs no signal handlers, nothing is deferred.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    deferred: list[int] = []
    before: dict[int, Any] = {}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def defer(number: int, frame: FrameType | None) -> None:
        deferred.append(number)
        restore()

    for number in TERMINATION_SIGNALS:
        # None: the handler was not set by Python, and cannot be restored.
        if (handler := signal.getsignal(number)) is not None:
            before[number] = handler
            signal.signal(number, defer)
    try:
        yield
    finally:
        restore()
        for each in deferred:
            signal.raise_signal(each)
