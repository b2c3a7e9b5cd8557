"""Counts SIGTERM and SIGINT, so that a loop can finish its current step before it ends."""

from __future__ import annotations

import os
import select
import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self

from chroniker.process.deferred_signals import TERMINATION_SIGNALS


class ShutdownSignals:
    """Inside the ``with`` block, the first two signals are only counted; a third signal ends the process as usual.

    Python allows signal handlers in the main thread only. In another thread no signal is counted.
    """

    def __init__(self) -> None:
        self.count = 0
        self._before: dict[signal.Signals, Any] = {}

    def __bool__(self) -> bool:
        return self.count > 0

    def wait(self, seconds: float) -> bool:
        """Wait ``seconds``, or until a signal arrives; returns whether one has arrived."""
        # Not a threading.Event: its lock is not reentrant, and the signal may arrive while this thread holds it.
        if select.select([self._near], [], [], max(seconds, 0.0))[0]:
            os.read(self._near, 1)
        return bool(self)

    def _count_signal(self, signum: int, frame: FrameType | None) -> None:
        self.count += 1
        os.write(self._far, b"!")
        if self.count == 2:
            for each in TERMINATION_SIGNALS:
                signal.signal(each, signal.SIG_DFL)

    def __enter__(self) -> Self:
        self._near, self._far = os.pipe()
        if threading.current_thread() is threading.main_thread():
            self._before = {each: signal.signal(each, self._count_signal) for each in TERMINATION_SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for each, before in self._before.items():
            signal.signal(each, before)
        os.close(self._near)
        os.close(self._far)
