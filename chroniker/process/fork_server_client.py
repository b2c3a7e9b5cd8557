"""The connection to the fork server: a worker starts one, and shares it with every process it forks afterwards."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import threading
import weakref
from collections.abc import Sequence

from chroniker.process import run_marker
from chroniker.process.command_start import python_words
from chroniker.process.keeper_protocol import Descriptors
from chroniker.process.kernel import LINUX, clock
from chroniker.process.run_spec import RUN_ID

log = logging.getLogger(__name__)

_SEND_PATIENCE = 5.0
_RESTART_SECONDS = 30.0  #: one that lived for less than this is not started again


def start_python(module: str, descriptors: Sequence[int], *, stderr: int | None = None) -> subprocess.Popen[bytes]:
    """Start another Python by exec, with this one's path and environment, a session of its own and these files."""
    return subprocess.Popen(  # nosec B603  # no word of it comes from a job
        python_words(module, *descriptors),
        pass_fds=descriptors,
        env={**os.environ, RUN_ID: run_marker.PLACEHOLDER_ID},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=stderr,
        start_new_session=True,
    )


class ForkServer:
    """The client's side. Threads and forked processes may share one; it never makes its caller wait for Django.

    A server that was killed is started again by the process that started it (the owner), on the same socket: its
    forked processes need not know. One that ends by itself (its start-up failed), or is killed again soon, is given
    up: `launch` returns False from then on, and keepers are started cold. Runs under way do not depend on it.
    """

    def __init__(self, requests: socket.socket | None, far: socket.socket | None) -> None:
        self._requests = requests
        self._far = far  # held by the owner alone, for the next server
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = os.getpid()
        self._started_at = 0.0
        self._lock = threading.Lock()

    @classmethod
    def start(cls) -> ForkServer:
        """Start a fork server for this process and those it will fork. Returns at once; Django warms up meanwhile."""
        if not LINUX:
            return cls(None, None)
        near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        near.settimeout(_SEND_PATIENCE)
        made = cls(near, far)
        made._start_process()
        reference = weakref.ref(made)
        os.register_at_fork(after_in_child=lambda: _drop_far(reference()))
        return made

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    @property
    def is_gone(self) -> bool:
        """Whether a request that was sent will not be answered: the server has ended. The owner alone can tell."""
        return self._is_owner and (self._process is None or self._process.poll() is not None)

    def launch(self, given: Descriptors) -> bool:
        """Ask for a keeper with these files; False when there is no fork server to ask.

        True is no promise: the caller waits for the keeper's first message, or for the end of its connection.
        """
        self.revive()
        requests = self._requests
        if requests is None:
            return False
        try:
            socket.send_fds(requests, [b"keeper"], list(given))
        except OSError:
            self.forget()
            return False
        return True

    def revive(self) -> None:
        """Start a server again that was killed. To be called from time to time by the owner; cheap."""
        if not self.is_gone or self._requests is None:
            return
        with self._lock:
            if self._process is None or (status := self._process.poll()) is None:
                return
            if status >= 0 or clock.monotonic() - self._started_at < _RESTART_SECONDS:
                self._process = None
                self.forget()
                return
            log.warning("the fork server was killed (status %d); it is started again", status)
            self._start_process()

    def forget(self) -> None:
        """Close the connection of this process. The server ends when all who share it have, and its keepers ended."""
        for each in (self._requests, self._far):
            if each is not None:
                each.close()
        self._requests = self._far = None

    def close(self, timeout: float | None = 10.0) -> None:
        """`forget`, and in the owner wait until the server has ended."""
        self.forget()
        if self._process is not None and self._is_owner:
            try:
                self._process.wait(timeout)
            except subprocess.TimeoutExpired:
                return  # runs of other processes go on; init will collect it
            self._process = None

    @property
    def _is_owner(self) -> bool:
        return self._owner == os.getpid()

    def _start_process(self) -> None:
        assert self._far is not None
        self._process = start_python("fork_server", [self._far.fileno()])
        self._started_at = clock.monotonic()


def _drop_far(server: ForkServer | None) -> None:
    """In a fork of the owner. Were it open there, requests to a server that has ended would wait for an answer."""
    if server is not None and server._far is not None:
        server._far.close()
        server._far = None
