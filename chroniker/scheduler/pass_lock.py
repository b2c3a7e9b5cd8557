"""A lock for one pass of ``cron`` at a time on this host, if ``CHRONIKER_USE_PID`` is set.

A kernel file lock in the runtime directory: the kernel frees it when its process has ended, in whatever way. It is held
for the pass only, not for the runs that the pass started.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from chroniker.conf import settings
from chroniker.process.runtime_dir import prepare
from chroniker.scheduler.shutdown_signals import ShutdownSignals

#: How long a pass that could begin may wait at most until it notices.
POLL_SECONDS = 0.1


class PassLock:
    """``with PassLock(asked, say) as turn``: waits for the turn; ``release`` gives it away before the ``with`` ends.

    ``is_ours`` is false only for a process that was asked to end while it waited. Where the setting is off there is no
    lock, and the turn is always ours. Projects with other databases do not wait for each other.
    """

    def __init__(self, asked: ShutdownSignals, say: Callable[[str], None]) -> None:
        self._asked, self._say = asked, say
        self._descriptor: int | None = None
        self.is_ours = True

    def __enter__(self) -> Self:
        """Raises OSError when the runtime directory cannot be used."""
        if settings.use_pid:
            path = lock_path()
            prepare(path.parent)
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self.is_ours = self._take(self._descriptor)
        return self

    def _take(self, descriptor: int) -> bool:
        # Not a lock that blocks: a signal could not end the waiting.
        told = False
        while not (taken := _try(descriptor)) and not self._asked:
            if not told:
                self._say("Waiting for the pass of another cron on this host (CHRONIKER_USE_PID).")
                told = True
            self._asked.wait(POLL_SECONDS)
        return taken

    def release(self) -> None:
        if self._descriptor is not None:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)  # also for a fork that may have inherited it
            os.close(self._descriptor)
            self._descriptor = None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def lock_path() -> Path:
    """In the runtime directory, which several projects of one user may share: named after the database of the runs."""
    return settings.runtime_dir / f"cron-{settings.database_digest}.pass"


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
