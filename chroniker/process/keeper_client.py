"""The supervisor's side of a keeper: start it, send it instructions, read its reports."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from chroniker.process import progress
from chroniker.process.fork_server_client import ForkServer, start_python
from chroniker.process.keeper_protocol import Descriptors, KeeperConnection
from chroniker.process.kernel import clock
from chroniker.process.run_spec import RunSpec

_READY_PATIENCE = 20.0  #: a fork server that is still loading Django answers when it is done
_END_PATIENCE = 10.0


class KeeperClient:
    """A keeper, as its supervisor uses it. When this connection closes, or this process dies, the tree is killed.

    Not for two threads at once.
    """

    def __init__(self, wire: KeeperConnection, out: int, err: int, shared_progress: int) -> None:
        self.wire = wire
        self.out = out
        self.err = err
        self.progress = shared_progress
        self.pid = 0
        self.terminating = ""  #: why SIGTERM was sent to the tree
        self.killing = False
        self.ended: Mapping[str, Any] | None = None  #: the keeper's last report
        self.crashed = ""
        self._cold: subprocess.Popen[bytes] | None = None
        self._pidfd = -1
        self._unanswered: float | None = None
        self._dead_since: float | None = None

    def wait_ready(self, fork_server: ForkServer | None = None) -> bool:
        """Wait for the keeper's first message. False: none came; after `close`, the keeper will not start the run."""
        poll = select.poll()
        poll.register(self.wire, select.POLLIN)
        until = clock.monotonic() + _READY_PATIENCE
        while not self.pid and not self.wire.closed and clock.monotonic() < until:
            # Checked before the read, so that a last message is still read.
            gone = fork_server is not None and fork_server.is_gone
            poll.poll(100)
            self.read()
            if gone:
                break
        return bool(self.pid)

    def go(self, spec: RunSpec, deadline: float) -> None:
        """Start the command."""
        self.wire.send(go=spec.to_json(), deadline=deadline)

    def extend(self, deadline: float) -> None:
        """Move the keeper's deadline; it acknowledges."""
        self.wire.send(deadline=deadline)
        if self._unanswered is None:
            self._unanswered = clock.monotonic()  # stands still while the machine is suspended

    def stop(self) -> None:
        """SIGTERM, then after the grace of the run SIGKILL."""
        self.wire.send(stop=True)

    def kill(self) -> None:
        """SIGKILL, now."""
        self.wire.send(kill=True)

    def read(self) -> None:
        """Read the keeper's messages."""
        for message in self.wire.receive():
            if "ready" in message:
                self.pid = message["ready"]
                self._pidfd = _open_pid(self.pid)
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
    def is_over(self) -> bool:
        """The tree is dead: the keeper reported it, or the keeper and its parent have closed the connection."""
        return self.ended is not None or self.wire.closed

    @property
    def dead_for(self) -> float:
        """Seconds since the keeper was first seen dead; 0 while it lives."""
        if self._pidfd < 0 or self.alive_pid:
            return 0.0
        self._dead_since = self._dead_since or clock.monotonic()
        return clock.monotonic() - self._dead_since

    @property
    def silent_for(self) -> float:
        """Seconds since the oldest message without an acknowledgement; 0 if there is none."""
        if self._unanswered is None or self.killing:
            return 0.0
        return clock.monotonic() - self._unanswered

    def wake(self) -> None:
        """Continue a stopped keeper."""
        if self.alive_pid:
            os.kill(self.pid, signal.SIGCONT)

    @property
    def alive_pid(self) -> int:
        """The keeper's process id if it is certainly alive, else 0: the number may be another process's by now."""
        if self._pidfd < 0:
            return 0
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        return 0 if poll.poll(0) else self.pid

    def close(self) -> None:
        """Close the connection: a living keeper kills its tree and ends."""
        self.wire.close()
        for descriptor in (self.out, self.err, self.progress, self._pidfd):
            if descriptor >= 0:
                os.close(descriptor)
        self.out = self.err = self.progress = self._pidfd = -1
        if self._cold is not None:
            self._cold.send_signal(signal.SIGCONT)  # a stopped process cannot end
            with suppress(subprocess.TimeoutExpired):  # it waits for processes that cannot be killed
                self._cold.wait(_END_PATIENCE)

    @classmethod
    def begin(cls, fork_server: ForkServer | None, lock: int) -> KeeperClient:
        """Return a ready keeper: from the fork server if it answers, else started cold. Raises OSError on failure.

        A keeper runs nothing before it gets its run. One that starts too late, after another was started in its
        place, finds its connection closed and ends.
        """
        if fork_server is not None:
            keeper = cls._launch(lock, fork_server)
            if keeper.wait_ready(fork_server):
                return keeper
            keeper.close()
        keeper = cls._launch(lock, None)
        if not keeper.wait_ready():
            keeper.close()
            raise OSError("its keeper did not start")
        return keeper

    @classmethod
    def _launch(cls, lock: int, fork_server: ForkServer | None) -> KeeperClient:
        near, far = socket.socketpair()
        (out, out_end), (err, err_end) = os.pipe(), os.pipe()
        keeper = cls(KeeperConnection(near), out, err, progress.create())
        with far:
            given = Descriptors(far.fileno(), out_end, err_end, keeper.progress, lock)
            try:
                if fork_server is None:
                    keeper._cold = start_python("keeper_main", given)
                else:
                    fork_server.launch(given)
            finally:
                os.close(out_end)
                os.close(err_end)
        for descriptor in (out, err):
            os.set_blocking(descriptor, False)
        return keeper


def _open_pid(pid: int) -> int:
    try:
        return os.pidfd_open(pid)
    except (AttributeError, OSError):
        return -1
