"""The connection to the fork server. A worker starts one, and shares it with all processes that it forks later."""

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
from chroniker.process.command_start import python_command_line
from chroniker.process.keeper_protocol import KEEPER_REQUEST, LOCK_REQUEST, KeeperConnection, KeeperDescriptors
from chroniker.process.kernel import IS_LINUX, host_clock
from chroniker.process.run_spec import RUN_ID_VARIABLE

log = logging.getLogger(__name__)

_SEND_TIMEOUT = 5.0
_MIN_LIFETIME_FOR_RESTART_SECONDS = 30.0  #: a server that lived for less than this is not started again


def start_python_process(
    module: str, descriptors: Sequence[int], *, stderr: int | None = None
) -> subprocess.Popen[bytes]:
    """Start a new Python with this one's path and environment, its own session and these files."""
    return subprocess.Popen(  # nosec B603  # no part of it comes from a job
        python_command_line(module, *descriptors),
        pass_fds=descriptors,
        env={**os.environ, RUN_ID_VARIABLE: run_marker.PLACEHOLDER_RUN_ID},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=stderr,
        start_new_session=True,
    )


class IdleKeeper(NamedTuple):
    """A living keeper between two runs. It ends when its connection closes, or after some time without a run."""

    connection: KeeperConnection
    pid: int
    pidfd: int
    name: bytes

    @property
    def is_alive(self) -> bool:
        poll = select.poll()
        poll.register(self.pidfd, select.POLLIN)
        return not poll.poll(0)

    def close(self) -> None:
        self.connection.close()
        os.close(self.pidfd)


class ForkServer:
    """The client of a fork server. Threads and forked processes may share it. No call waits for the start of Django.

    If the server is killed, the process that started it (the owner) starts it again on the same socket; the owner's
    forks continue to use it. If it ends by itself (its start-up failed), or is killed again soon, it is not started
    again: `request_keeper` returns False from then on, and keepers are started cold. Running commands do not depend on
    it.
    """

    def __init__(self, requests: socket.socket | None, server_end: socket.socket | None) -> None:
        self._requests = requests
        self._server_end = server_end  # held by the owner alone, for the next server
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = os.getpid()
        self._started_at = 0.0
        self._lock = threading.Lock()
        self._idle: deque[IdleKeeper] = deque()

    @classmethod
    def start(cls) -> ForkServer:
        """Start a fork server for this process and its later forks. Returns at once, while the server loads Django."""
        if not IS_LINUX:
            return cls(None, None)
        near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        near.settimeout(_SEND_TIMEOUT)
        made = cls(near, far)
        made._start_process()
        reference = weakref.ref(made)
        os.register_at_fork(after_in_child=lambda: _close_owner_sockets_in_fork(reference()))
        return made

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    @property
    def has_ended(self) -> bool:
        """Whether the server has ended, so that no request will be answered. Known only in the owner."""
        return self._is_owner and (self._process is None or self._process.poll() is not None)

    def request_keeper(self, name: bytes, descriptors: KeeperDescriptors) -> bool:
        """Request a keeper with this name and these files. False: there is no fork server.

        True does not guarantee a keeper: the caller waits for its first message, or for the end of the connection.
        """
        self.restart_if_killed()
        return self._send_request(KEEPER_REQUEST + name, descriptors)

    def hold_lock(self, name: bytes, lock_descriptor: int) -> bool:
        """Let the server hold the lock for the next run of the keeper with this name. False: there is no fork server.

        True: the lock is held until that keeper and all its processes are dead, or until it serves another run.
        """
        return self._send_request(LOCK_REQUEST + name, [lock_descriptor])

    def _send_request(self, words: bytes, descriptors: Sequence[int]) -> bool:
        requests = self._requests
        if requests is None:
            return False
        try:
            socket.send_fds(requests, [words], list(descriptors))
        except OSError:
            self.close_connections()
            return False
        return True

    def take_idle_keeper(self) -> IdleKeeper | None:
        """Remove and return the living keeper that became idle last. None: there is none."""
        while self._idle:
            try:
                keeper = self._idle.pop()
            except IndexError:  # another thread took it
                return None
            if keeper.is_alive:
                return keeper
            keeper.close()
        return None

    def add_idle_keeper(self, keeper: IdleKeeper) -> None:
        """Keep a keeper for a later run of this process."""
        if self._requests is None:
            keeper.close()
            return
        self._idle.append(keeper)

    def restart_if_killed(self) -> None:
        """Start the server again if it was killed. The owner calls this periodically; it is cheap."""
        if not self.has_ended or self._requests is None:
            return
        with self._lock:
            if self._process is None or (status := self._process.poll()) is None:
                return
            if status >= 0 or host_clock.monotonic() - self._started_at < _MIN_LIFETIME_FOR_RESTART_SECONDS:
                self._process = None
                self.close_connections()
                return
            log.warning("the fork server was killed (status %d); it is started again", status)
            self._start_process()

    def close_connections(self) -> None:
        """Close this process's connections. The server ends when all are closed and its keepers have ended."""
        self._close_idle_keepers()
        for each in (self._requests, self._server_end):
            if each is not None:
                each.close()
        self._requests = self._server_end = None

    def close(self, timeout: float | None = 10.0) -> None:
        """Close the connections. The owner also waits until the server has ended."""
        self.close_connections()
        if self._process is not None and self._is_owner:
            try:
                self._process.wait(timeout)
            except subprocess.TimeoutExpired:
                return  # runs of other processes continue; the init process will collect the server
            self._process = None

    def _close_idle_keepers(self) -> None:
        while self._idle:
            self._idle.pop().close()

    @property
    def _is_owner(self) -> bool:
        return self._owner == os.getpid()

    def _start_process(self) -> None:
        assert self._server_end is not None
        self._process = start_python_process("fork_server", [self._server_end.fileno()])
        self._started_at = host_clock.monotonic()


def _close_owner_sockets_in_fork(server: ForkServer | None) -> None:
    """Close the owner's sockets in a fork: if they stayed open, requests to a server that has ended would never return.

    Idle keepers belong to the owner too.
    """
    if server is None:
        return
    server._close_idle_keepers()
    if server._server_end is not None:
        server._server_end.close()
        server._server_end = None
