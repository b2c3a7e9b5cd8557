"""The messages between a supervisor and its keeper: one JSON object per line over a socket pair."""

import json
import select
import socket
from collections.abc import Mapping
from typing import Any, NamedTuple

from chroniker.process.kernel import clock

_SEND_PATIENCE = 5.0
Message = Mapping[str, Any]


class Descriptors(NamedTuple):
    """The open files of a keeper, in the order in which they are sent."""

    control: int
    out: int
    err: int
    progress: int
    lock: int


class KeeperConnection:
    """One end of the connection. Not for two threads at once."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self._socket = connection
        self._rest = b""
        self.closed = False

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, **message: Any) -> bool:
        """Send one message; False when the other side has closed or has not read for seconds."""
        data = memoryview(json.dumps(message).encode() + b"\n")
        until = clock.monotonic() + _SEND_PATIENCE
        while data:
            try:
                data = data[self._socket.send(data) :]
            except BlockingIOError:
                if not self._writable(until):
                    return False
            except OSError:
                return False  # the reading side notices by its own end of file
        return True

    def _writable(self, until: float) -> bool:
        poll = select.poll()  # not select(): a worker may have more than 1024 files open
        poll.register(self._socket, select.POLLOUT)
        return bool(poll.poll(max(0.0, until - clock.monotonic()) * 1000))

    def receive(self) -> list[Message]:
        """All messages that have arrived. Sets `closed` when the other side has closed."""
        while not self.closed:
            try:
                data = self._socket.recv(65536)
            except BlockingIOError:
                break
            except OSError:
                data = b""
            self.closed = not data
            self._rest += data
        *lines, self._rest = self._rest.split(b"\n")
        return [json.loads(line) for line in lines]

    def close(self) -> None:
        self.closed = True
        self._socket.close()
