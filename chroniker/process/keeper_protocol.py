"""The messages between a supervisor, its keeper and the keeper's parent.

Supervisor and keeper exchange one JSON object per line over a socket pair. The parent gets requests with open files.
"""

from __future__ import annotations

import json
import select
import socket
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from chroniker.process.kernel import host_clock

_SEND_TIMEOUT = 5.0
Message = Mapping[str, Any]

#: Requests to the parent of keepers: one of these bytes, then the name of the keeper.
KEEPER_REQUEST, LOCK_REQUEST = b"K", b"L"
KEEPER_NAME_BYTES = (
    8  #: length of a keeper's name; names are random, so that no two keepers of a parent have the same name
)


class KeeperDescriptors(NamedTuple):
    """The open files of a keeper, in the order in which they are sent."""

    control: int
    out: int
    err: int
    progress: int
    lock: int

    def for_next_run(self, files: Sequence[int]) -> KeeperDescriptors:
        """The same connection with the files of another run."""
        return KeeperDescriptors(self.control, *files)


class KeeperConnection:
    """One end of the connection. Only one thread may use it at a time."""

    def __init__(self, connection: socket.socket, *, takes_files: bool = False) -> None:
        connection.setblocking(False)
        self._socket = connection
        self._rest = b""
        self._takes_files = takes_files
        self.files: list[int] = []  #: files that arrived with messages, if `takes_files`
        self.closed = False

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, **message: Any) -> bool:
        """Send one message; False if the other side has closed the connection, or has not read for some seconds."""
        data = memoryview(json.dumps(message).encode() + b"\n")
        until = host_clock.monotonic() + _SEND_TIMEOUT
        while data:
            try:
                data = data[self._socket.send(data) :]
            except BlockingIOError:
                if not self._wait_until_writable(until):
                    return False
            except OSError:
                return False  # the reading side of this connection notices it too
        return True

    def send_files(self, files: Sequence[int], **message: Any) -> bool:
        """Send one short message with open files; False when it could not be sent at once."""
        data = json.dumps(message).encode() + b"\n"
        try:
            return socket.send_fds(self._socket, [data], files) == len(data)
        except OSError:
            return False

    def _wait_until_writable(self, until: float) -> bool:
        poll = select.poll()  # not select(): a worker may have more than 1024 files open
        poll.register(self._socket, select.POLLOUT)
        return bool(poll.poll(max(0.0, until - host_clock.monotonic()) * 1000))

    def receive(self) -> list[Message]:
        """Return all messages that have arrived. Sets `closed` if the other side has closed the connection."""
        while not self.closed:
            try:
                data = self._read()
            except BlockingIOError:
                break
            except OSError:
                data = b""
            self.closed = not data
            self._rest += data
        *lines, self._rest = self._rest.split(b"\n")
        return [json.loads(line) for line in lines]

    def _read(self) -> bytes:
        if not self._takes_files:
            return self._socket.recv(65536)
        data, files, *_ = socket.recv_fds(self._socket, 65536, len(KeeperDescriptors._fields))
        self.files += files
        return data

    def close(self) -> None:
        self.closed = True
        self._socket.close()
