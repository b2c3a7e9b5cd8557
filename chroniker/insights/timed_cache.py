"""A value that each process reads at most every few seconds, however many requests ask for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class TimedCache(Generic[T]):
    """Threads share the value. One of them reads it; the others wait for that reading."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        #: The value, and when its reading ended. ``None``: nothing is kept.
        self.kept: tuple[float, T] | None = None

    def get(self, max_age: float, read: Callable[[], T]) -> T:
        """The kept value, or that of ``read`` if the kept one is older than ``max_age`` seconds.

        The age counts from the end of the reading, so that a slow database is asked once for a page, too. An error of
        ``read`` is raised, and the kept value stays as it is.
        """
        with self._lock:
            if self.kept is None or time.monotonic() - self.kept[0] > max_age:
                value = read()
                self.kept = (time.monotonic(), value)
            return self.kept[1]

    def forget(self) -> None:
        """Read the value again at the next use."""
        self.kept = None
