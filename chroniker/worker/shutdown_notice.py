"""The shutdown of a worker, announced once to all its supervisors: in this process and in its later forks.

Only the worker's main process gets the signal to end. The processes of its pool inherit a pipe that becomes readable
for all of them at once, and shared memory with the time until which their runs may continue.
"""

from __future__ import annotations

import mmap
import os
import select
import struct

from chroniker.process.kernel import boot_clock

_MOMENT_STRUCT = struct.Struct("=d")


class ShutdownNotice:
    """Create it before the pool's processes are forked."""

    def __init__(self) -> None:
        self._near, self._far = os.pipe()
        self._shared = mmap.mmap(-1, _MOMENT_STRUCT.size)

    def announce(self, grace: float | None) -> None:
        """Announce the shutdown: from now on no run starts, and runs are stopped after ``grace`` seconds (None: never).

        It may be called several times, also from a signal handler. Only the first call has an effect.
        """
        if not self.is_announced:
            _MOMENT_STRUCT.pack_into(self._shared, 0, float("inf") if grace is None else boot_clock() + grace)
            os.write(self._far, b"!")  # never read: it stays readable for all

    def fileno(self) -> int:
        """A descriptor that is readable after the announcement."""
        return self._near

    @property
    def is_announced(self) -> bool:
        return bool(select.select([self._near], [], [], 0)[0])

    @property
    def stop_at(self) -> float:
        """On the boot clock: when runs are to be stopped; infinite before the announcement."""
        moment: float = _MOMENT_STRUCT.unpack_from(self._shared, 0)[0]
        return moment if self.is_announced else float("inf")

    def close(self) -> None:
        os.close(self._near)
        os.close(self._far)
        self._shared.close()
