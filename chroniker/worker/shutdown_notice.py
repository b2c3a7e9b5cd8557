"""That a worker ends: said once, and heard by all its supervisors, in this process and in those it forked since.

A pool's processes are children of the worker that is told to end, and know nothing of it. They inherit a pipe that
becomes readable for all of them at once, and a piece of shared memory that says until when their runs may go on.
"""

from __future__ import annotations

import mmap
import os
import select
import struct

from chroniker.process.kernel import boot_clock

_MOMENT = struct.Struct("=d")


class ShutdownNotice:
    """To be made before the pool's processes are forked."""

    def __init__(self) -> None:
        self._near, self._far = os.pipe()
        self._shared = mmap.mmap(-1, _MOMENT.size)

    def announce(self, grace: float | None) -> None:
        """Nothing begins here any more, and what runs is stopped when ``grace`` seconds are over; None: never.

        May be said again, also from a signal handler; the first time counts.
        """
        if not self.announced:
            _MOMENT.pack_into(self._shared, 0, float("inf") if grace is None else boot_clock() + grace)
            os.write(self._far, b"!")  # nobody ever reads it: it stays there for all

    def fileno(self) -> int:
        """Readable from then on."""
        return self._near

    @property
    def announced(self) -> bool:
        return bool(select.select([self._near], [], [], 0)[0])

    @property
    def stop_at(self) -> float:
        """On the boot clock: when runs are to be stopped; for ever away while nothing was said."""
        moment: float = _MOMENT.unpack_from(self._shared, 0)[0]
        return moment if self.announced else float("inf")

    def close(self) -> None:
        os.close(self._near)
        os.close(self._far)
        self._shared.close()
