"""A run's wake socket, in the runtime directory. Any process of this host can wake the run's supervisor with it.

A wake-up is only a hint: the supervisor renews its lease at once, and the answer shows whether a stop was requested.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path
from uuid import UUID

from chroniker.process.kernel import IS_LINUX


class WakeSocket:
    """The supervisor's end of the socket. It is readable after a wake-up."""

    def __init__(self, runtime_dir: Path, run_id: UUID) -> None:
        self._path = _file_path(runtime_dir, run_id)
        self._path.unlink(missing_ok=True)  # left by a supervisor that was killed: the caller holds the run's lock
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        with _SocketAddress(self._path) as address:
            self._socket.bind(address)
        self._path.chmod(0o600)

    def fileno(self) -> int:
        return self._socket.fileno()

    def clear(self) -> None:
        """Make the socket unreadable until the next wake-up."""
        try:
            while True:
                self._socket.recv(64)
        except BlockingIOError:
            pass

    def __enter__(self) -> WakeSocket:
        return self

    def __exit__(self, *_: object) -> None:
        self._path.unlink(missing_ok=True)
        self._socket.close()


def wake_supervisor(runtime_dir: Path, run_id: UUID) -> bool:
    """Wake the supervisor of a run; False when no supervisor of that run listens on this host."""
    path = _file_path(runtime_dir, run_id)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bell:
        bell.setblocking(False)
        try:
            with _SocketAddress(path) as address:
                bell.sendto(b"!", address)
        except BlockingIOError:
            return True  # the socket is full of earlier wake-ups
        except OSError:
            return False
    return True


def _file_path(runtime_dir: Path, run_id: UUID) -> Path:
    return runtime_dir / f"{run_id.hex}.sock"


class _SocketAddress:
    """The address of a socket file. It has at most 107 bytes, so a long path is replaced by one in /proc/self/fd."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._directory = -1

    def __enter__(self) -> str:
        if not IS_LINUX or len(os.fsencode(self._path)) < 100:
            return str(self._path)
        self._directory = os.open(self._path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        return f"/proc/self/fd/{self._directory}/{self._path.name}"

    def __exit__(self, *_: object) -> None:
        if self._directory >= 0:
            os.close(self._directory)
