"""The way to the fork server: a worker starts one, and shares it with every process it forks from then on."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from chroniker.process import run_marker
from chroniker.process.keeper_protocol import Descriptors
from chroniker.process.kernel import LINUX
from chroniker.process.run_spec import RUN_ID

_SEND_PATIENCE = 5.0
_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv.pop(1)); from chroniker.process.{module} import main; main()"
)


def start_python(module: str, descriptors: Sequence[int], *, stderr: int | None = None) -> subprocess.Popen[bytes]:
    """Start another Python by exec, with this one's path and environment, a session of its own and these files."""
    path = json.dumps([str(Path(entry).absolute()) for entry in sys.path])
    words = [sys.executable, "-c", _START.format(module=module), path, *map(str, descriptors)]
    return subprocess.Popen(  # nosec B603  # no word of it comes from a job
        words,
        pass_fds=descriptors,
        env={**os.environ, RUN_ID: run_marker.PLACEHOLDER_ID},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=stderr,
        start_new_session=True,
    )


class ForkServer:
    """The client's side. Threads and forked processes may share one; it never makes its caller wait for Django.

    When the fork server is not there (it died, its start-up failed, or the system has none) `launch` answers False
    from then on, and keepers are started cold. Runs under way do not depend on it.
    """

    def __init__(self, requests: socket.socket | None, process: subprocess.Popen[bytes] | None) -> None:
        self._requests = requests
        self._process = process
        self._owner = os.getpid()

    @classmethod
    def start(cls) -> ForkServer:
        """Start a fork server for this process and those it will fork. Returns at once; Django warms up meanwhile."""
        if not LINUX:
            return cls(None, None)
        near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        near.settimeout(_SEND_PATIENCE)
        with far:
            return cls(near, start_python("fork_server", [far.fileno()]))

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def launch(self, given: Descriptors) -> bool:
        """Ask for a keeper with these files; False when there is no fork server to ask.

        True is no promise: whoever asked waits for the keeper's first word, or for the end of its line.
        """
        if self._requests is None:
            return False
        try:
            socket.send_fds(self._requests, [b"keeper"], list(given))
        except OSError:
            self.forget()
            return False
        return True

    def forget(self) -> None:
        """Let go of the fork server in this process; it ends when all who share it have, and its keepers are done."""
        if self._requests is not None:
            self._requests.close()
        self._requests = None

    def close(self, timeout: float | None = 10.0) -> None:
        """`forget`, and in the process that started the fork server wait until it has ended."""
        self.forget()
        if self._process is not None and self._owner == os.getpid():
            try:
                self._process.wait(timeout)
            except subprocess.TimeoutExpired:
                return  # runs of other processes go on; init will collect it
            self._process = None
