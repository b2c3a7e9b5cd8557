"""A descriptor that becomes readable when a child process ends."""

import os
import signal


class ChildWakeup:
    """For a process with one thread: it installs a handler for SIGCHLD, and Python's wake-up descriptor for signals."""

    def __init__(self) -> None:
        self._reading, writing = os.pipe()
        os.set_blocking(self._reading, False)
        os.set_blocking(writing, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)

    def fileno(self) -> int:
        return self._reading

    def clear(self) -> None:
        """Not readable again until the next child ends."""
        try:
            while len(os.read(self._reading, 4096)) == 4096:
                pass
        except BlockingIOError:
            pass
