"""A lock that allows one tick of ``cron`` at a time on this host, if ``CHRONIKER_USE_PID`` is set.

It is a kernel file lock in the runtime directory: the kernel releases it when the process ends, also after a SIGKILL.
It is held during the tick only, not during the runs that the tick started.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from chroniker.conf import settings
from chroniker.process.runtime_dir import ensure_private_directory
from chroniker.scheduler.shutdown_signals import ShutdownSignals

#: How often a waiting process tries the lock.
POLL_SECONDS = 0.1


class PassLock:
    """``with PassLock(shutdown, log) as lock`` waits for the lock; ``release`` releases the lock before the block ends.

    ``is_ours`` is false only if a shutdown signal arrived during the wait. Without the setting there is no lock, and
    ``is_ours`` is true. Projects with different databases do not wait for each other.
    """

    def __init__(self, shutdown: ShutdownSignals, log: Callable[[str], None]) -> None:
        self._shutdown, self._log = shutdown, log
        self._descriptor: int | None = None
        self.is_ours = True

    def __enter__(self) -> Self:
        """Raises OSError when the runtime directory cannot be used."""
        if settings.use_pid:
            path = lock_path()
            ensure_private_directory(path.parent)
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self.is_ours = self._wait_for_lock(self._descriptor)
        return self

    def _wait_for_lock(self, descriptor: int) -> bool:
        # Polling, not a blocking lock: a signal must be able to end the wait.
        logged = False
        while not (taken := _try_to_lock(descriptor)) and not self._shutdown:
            if not logged:
                self._log("Waiting for the pass of another cron on this host (CHRONIKER_USE_PID).")
                logged = True
            self._shutdown.wait(POLL_SECONDS)
        return taken

    def release(self) -> None:
        if self._descriptor is not None:
            # Otherwise a fork that inherited the open file would still hold the lock.
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)
            os.close(self._descriptor)
            self._descriptor = None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def lock_path() -> Path:
    """The lock's file. Projects may share the runtime directory, so its name contains a hash of the database."""
    return settings.runtime_dir / f"cron-{settings.database_digest}.pass"


def _try_to_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
