"""The connection to the fork server: a worker starts one, and shares it with every process it forks afterwards."""

from __future__ import annotations

import logging
import os
import select
import socket
import subprocess
import threading
import weakref
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from chroniker.process import run_marker
from chroniker.process.command_start import python_words
from chroniker.process.keeper_protocol import KEEPER, LOCK, Descriptors, KeeperConnection
from chroniker.process.kernel import LINUX, host_clock
from chroniker.process.run_spec import RUN_ID

log = logging.getLogger(__name__)

_SEND_TIMEOUT = 5.0
_RESTART_SECONDS = 30.0  #: one that lived for less than this is not started again


def start_python(module: str, descriptors: Sequence[int], *, stderr: int | None = None) -> subprocess.Popen[bytes]:
    """Start a new Python with this one's path and environment, its own session and these files."""
    return subprocess.Popen(  # nosec B603  # no part of it comes from a job
        python_words(module, *descriptors),
        pass_fds=descriptors,
        env={**os.environ, RUN_ID: run_marker.PLACEHOLDER_ID},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=stderr,
        start_new_session=True,
    )


class IdleKeeper(NamedTuple):
    """A living keeper between two runs. It ends when its connection closes, or after some time without a run."""

    wire: KeeperConnection
    pid: int
    pidfd: int
    name: bytes

    @property
    def is_alive(self) -> bool:
        poll = select.poll()
        poll.register(self.pidfd, select.POLLIN)
        return not poll.poll(0)

    def close(self) -> None:
        self.wire.close()
        os.close(self.pidfd)


class ForkServer:
    """The client's side. Threads and forked processes may share one. No call waits for the start of Django.

    If the server is killed, the process that started it (the owner) starts it again on the same socket; the owner's
    forks continue to use it. If it ends by itself (its start-up failed), or is killed again soon, it is given up:
    `launch` returns False from then on, and keepers are started cold. Running commands do not depend on it.
    """

    def __init__(self, requests: socket.socket | None, far: socket.socket | None) -> None:
        self._requests = requests
        self._far = far  # held by the owner alone, for the next server
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = os.getpid()
        self._started_at = 0.0
        self._lock = threading.Lock()
        self._idle: deque[IdleKeeper] = deque()

    @classmethod
    def start(cls) -> ForkServer:
        """Start a fork server for this process and its later forks. Returns at once, while the server loads Django."""
        if not LINUX:
            return cls(None, None)
        near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        near.settimeout(_SEND_TIMEOUT)
        made = cls(near, far)
        made._start_process()
        reference = weakref.ref(made)
        os.register_at_fork(after_in_child=lambda: _leave_to_owner(reference()))
        return made

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    @property
    def is_gone(self) -> bool:
        """Whether the server has ended, so that no request will be answered. Known only in the owner."""
        return self._is_owner and (self._process is None or self._process.poll() is not None)

    def launch(self, name: bytes, given: Descriptors) -> bool:
        """Request a keeper of this name with these files. False: there is no fork server.

        True does not guarantee a keeper: the caller waits for its first message, or for the end of the connection.
        """
        self.revive()
        return self._request(KEEPER + name, given)

    def hold(self, name: bytes, lock: int) -> bool:
        """Have the server hold the lock of the next run of the keeper of this name. False: there is no fork server.

        From the return on the lock is held until that keeper, with all its processes, is dead or serves another run.
        """
        return self._request(LOCK + name, [lock])

    def _request(self, words: bytes, descriptors: Sequence[int]) -> bool:
        requests = self._requests
        if requests is None:
            return False
        try:
            socket.send_fds(requests, [words], list(descriptors))
        except OSError:
            self.forget()
            return False
        return True

    def take_idle(self) -> IdleKeeper | None:
        """The keeper that became idle last, if one lives. It is the caller's now."""
        while self._idle:
            try:
                keeper = self._idle.pop()
            except IndexError:  # another thread took it
                return None
            if keeper.is_alive:
                return keeper
            keeper.close()
        return None

    def add_idle(self, keeper: IdleKeeper) -> None:
        """Keep a keeper for a later run of this process."""
        if self._requests is None:
            keeper.close()
            return
        self._idle.append(keeper)

    def revive(self) -> None:
        """Start the server again if it was killed. The owner calls this periodically; it is cheap."""
        if not self.is_gone or self._requests is None:
            return
        with self._lock:
            if self._process is None or (status := self._process.poll()) is None:
                return
            if status >= 0 or host_clock.monotonic() - self._started_at < _RESTART_SECONDS:
                self._process = None
                self.forget()
                return
            log.warning("the fork server was killed (status %d); it is started again", status)
            self._start_process()

    def forget(self) -> None:
        """Close this process's connections. The server ends when all are closed and its keepers have ended."""
        self._close_idle()
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

    def _close_idle(self) -> None:
        while self._idle:
            self._idle.pop().close()

    @property
    def _is_owner(self) -> bool:
        return self._owner == os.getpid()

    def _start_process(self) -> None:
        assert self._far is not None
        self._process = start_python("fork_server", [self._far.fileno()])
        self._started_at = host_clock.monotonic()


def _leave_to_owner(server: ForkServer | None) -> None:
    """Close the owner's sockets in a fork: if they stayed open, requests to an ended server would wait without end.

    Idle keepers are the owner's, too.
    """
    if server is None:
        return
    server._close_idle()
    if server._far is not None:
        server._far.close()
        server._far = None
