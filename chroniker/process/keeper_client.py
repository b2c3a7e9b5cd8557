"""The supervisor's side of a keeper: start it, send it instructions, read its reports."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from chroniker.process import progress
from chroniker.process.fork_server_client import ForkServer, IdleKeeper, start_python_process
from chroniker.process.keeper_protocol import KEEPER_NAME_BYTES, KeeperConnection, KeeperDescriptors
from chroniker.process.kernel import host_clock
from chroniker.process.run_spec import RunSpec

_READY_TIMEOUT = 20.0  #: a fork server that is still loading Django answers when it is done
_COLD_KEEPER_EXIT_TIMEOUT = 10.0


class KeeperClient:
    """A keeper, as its supervisor uses it. When this connection closes, or this process dies, the tree is killed.

    Only one thread may use it at a time.
    """

    def __init__(self, connection: KeeperConnection, out: int, err: int, progress_descriptor: int) -> None:
        self.connection = connection
        self.out = out
        self.err = err
        self.progress = progress_descriptor
        self.pid = 0
        self.terminating = ""  #: why SIGTERM was sent to the tree
        self.killing = False
        self.ended: Mapping[str, Any] | None = None  #: the keeper's last report
        self.crashed = ""
        self._cold: subprocess.Popen[bytes] | None = None
        self._fork_server: ForkServer | None = None
        self._name = b""
        self._is_handed_on = False
        self._far_pipes: tuple[int, ...] = ()
        self._pidfd = -1
        self._unanswered: float | None = None
        self._dead_since: float | None = None

    def wait_until_ready(self, fork_server: ForkServer | None = None) -> bool:
        """Wait for the keeper's first message. False: no message came. Then the caller closes this client, and
        the keeper does not start the run."""
        poll = select.poll()
        poll.register(self.connection, select.POLLIN)
        until = host_clock.monotonic() + _READY_TIMEOUT
        while not self.pid and not self.connection.closed and host_clock.monotonic() < until:
            # Checked before the read, so that a last message is still read.
            gone = fork_server is not None and fork_server.has_ended
            poll.poll(100)
            self.read_messages()
            if gone:
                break
        return bool(self.pid)

    def start_command(self, spec: RunSpec, deadline: float) -> None:
        """Start the command."""
        self.connection.send(go=spec.to_json(), deadline=deadline)

    def extend_deadline(self, deadline: float) -> None:
        """Move the keeper's deadline; the keeper acknowledges that."""
        self.connection.send(deadline=deadline)
        if self._unanswered is None:
            self._unanswered = host_clock.monotonic()  # this clock stops while the machine is suspended

    def stop_command(self) -> None:
        """Request SIGTERM, and SIGKILL after the grace of the run."""
        self.connection.send(stop=True)

    def kill_tree(self) -> None:
        """Request SIGKILL at once."""
        self.connection.send(kill=True)

    def read_messages(self) -> None:
        """Read the keeper's messages."""
        for message in self.connection.receive():
            if "ready" in message:
                self.pid = message["ready"]
                if self._pidfd < 0:
                    self._pidfd = _open_pidfd(self.pid)
            elif "acknowledged" in message:
                self._unanswered = None
            elif "terminating" in message:
                self.terminating = message["terminating"]
            elif "killing" in message:
                self.killing = True
            elif "ended" in message:
                self.ended = message["ended"]
            elif "crashed" in message:
                self.crashed = message["crashed"]

    @property
    def tree_is_dead(self) -> bool:
        """Whether the tree is dead: the keeper reported it, or the keeper and its parent have closed the connection."""
        return self.ended is not None or self.connection.closed

    @property
    def seconds_since_death(self) -> float:
        """Seconds since the keeper was first seen dead; 0 while it lives."""
        if self._pidfd < 0 or self.alive_pid:
            return 0.0
        self._dead_since = self._dead_since or host_clock.monotonic()
        return host_clock.monotonic() - self._dead_since

    @property
    def seconds_without_answer(self) -> float:
        """Seconds since the oldest message without an acknowledgement; 0 if there is none."""
        if self._unanswered is None or self.killing:
            return 0.0
        return host_clock.monotonic() - self._unanswered

    def continue_keeper_if_stopped(self) -> None:
        """Continue a stopped keeper."""
        if self.alive_pid:
            os.kill(self.pid, signal.SIGCONT)

    @property
    def alive_pid(self) -> int:
        """The keeper's process id if the keeper is certainly alive, else 0: another process may have this id by now."""
        if self._pidfd < 0:
            return 0
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        return 0 if poll.poll(0) else self.pid

    def close_or_keep_idle(self) -> None:
        """Keep a keeper whose run ended normally, for a later run of this process; close any other."""
        if self._fork_server is not None and self.ended is not None and self.ended.get("waits") and self.alive_pid:
            self._fork_server.add_idle_keeper(IdleKeeper(self.connection, self.pid, self._pidfd, self._name))
            self._is_handed_on, self._pidfd = True, -1
        self.close()

    def close(self) -> None:
        """Close the connection: a living keeper kills its tree and ends."""
        if not self._is_handed_on:
            self.connection.close()
        for descriptor in (self.out, self.err, self.progress, self._pidfd):
            if descriptor >= 0:
                os.close(descriptor)
        self.out = self.err = self.progress = self._pidfd = -1
        if self._cold is not None:
            self._cold.send_signal(signal.SIGCONT)  # a stopped process cannot end
            with suppress(subprocess.TimeoutExpired):  # it waits for processes that cannot be killed
                self._cold.wait(_COLD_KEEPER_EXIT_TIMEOUT)

    @classmethod
    def start(cls, fork_server: ForkServer | None, lock_descriptor: int) -> KeeperClient:
        """Return a ready keeper: from the fork server if it answers, else started cold. Raises OSError on failure.

        A keeper runs nothing before it gets its run. A keeper that starts too late, after another one was started in
        its place, finds that its connection is closed, and ends.
        """
        if fork_server is not None:
            if (idle := fork_server.take_idle_keeper()) and (
                again := cls._reuse_idle_keeper(idle, lock_descriptor, fork_server)
            ):
                return again
            keeper = cls._start_keeper(lock_descriptor, fork_server)
            if keeper.wait_until_ready(fork_server):
                return keeper
            keeper.close()
        keeper = cls._start_keeper(lock_descriptor, None)
        if not keeper.wait_until_ready():
            keeper.close()
            raise OSError("its keeper did not start")
        return keeper

    @classmethod
    def _start_keeper(cls, lock_descriptor: int, fork_server: ForkServer | None) -> KeeperClient:
        near, far = socket.socketpair()
        keeper = cls._create_with_pipes(KeeperConnection(near))
        keeper._name, keeper._fork_server = os.urandom(KEEPER_NAME_BYTES), fork_server
        with far, keeper._descriptors_for_keeper(lock_descriptor) as files:
            descriptors = KeeperDescriptors(far.fileno(), *files)
            if fork_server is None:
                keeper._cold = start_python_process("keeper_main", descriptors)
            else:
                fork_server.request_keeper(keeper._name, descriptors)
        return keeper

    @classmethod
    def _reuse_idle_keeper(cls, idle: IdleKeeper, lock_descriptor: int, fork_server: ForkServer) -> KeeperClient | None:
        """Give another run's lock to the keeper's parent, then its files to the keeper. None: the keeper
        does not answer."""
        keeper = cls._create_with_pipes(idle.connection)
        keeper._name, keeper._fork_server, keeper._pidfd = idle.name, fork_server, idle.pidfd
        with keeper._descriptors_for_keeper(lock_descriptor) as files:
            sent = fork_server.hold_lock(idle.name, lock_descriptor) and idle.connection.send_files(files, next=True)
        if sent and keeper.wait_until_ready():
            return keeper
        keeper.close()
        return None

    @classmethod
    def _create_with_pipes(cls, connection: KeeperConnection) -> KeeperClient:
        (out, out_end), (err, err_end) = os.pipe(), os.pipe()
        for descriptor in (out, err):
            os.set_blocking(descriptor, False)
        keeper = cls(connection, out, err, progress.create_shared_memory())
        keeper._far_pipes = (out_end, err_end)
        return keeper

    @contextmanager
    def _descriptors_for_keeper(self, lock_descriptor: int) -> Iterator[tuple[int, ...]]:
        """Yields the keeper's files, in the order of `KeeperDescriptors`; then closes its ends of the pipes here."""
        try:
            yield (*self._far_pipes, self.progress, lock_descriptor)
        finally:
            for descriptor in self._far_pipes:
                os.close(descriptor)
            self._far_pipes = ()


def _open_pidfd(pid: int) -> int:
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return -1
