"""Starts one server, and ends it when the process that started this one ends.

Run as a program of its own: ``python support/servers/guard.py USER STOP_SIGNAL DIRECTORY -- COMMAND...``. It prints the
server's process id and then reads a line from standard input. When that comes, or standard input closes
because the test run was killed, the server and everything it started are ended and the directory is removed;
the line ``keep`` leaves the directory in place, for a server that will be started again.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil

PR_SET_CHILD_SUBREAPER = 36
GRACE_SECONDS = 15


def become_subreaper() -> None:
    """Become the parent of orphaned daemons (RabbitMQ's epmd), so that the final kill finds them."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def start(user: str, directory: Path, command: list[str]) -> subprocess.Popen[bytes]:
    account = pwd.getpwnam(user) if user else None
    with (directory / "server.log").open("ab") as log:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            user=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
            extra_groups=[] if account else None,
        )


def end(server: subprocess.Popen[bytes], stop_signal: int) -> None:
    for signum in (signal.SIGCONT, stop_signal):  # a process that a test has stopped does not react to signals
        with contextlib.suppress(ProcessLookupError):
            os.kill(server.pid, signum)
    try:
        server.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()


def sweep() -> None:
    """Kill every descendant, until there is none."""
    while children := psutil.Process().children(recursive=True):
        for child in children:
            with contextlib.suppress(psutil.NoSuchProcess):
                child.kill()
        psutil.wait_procs(children, timeout=1)


def main() -> None:
    user, stop_signal, directory, _, *command = sys.argv[1:]
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    become_subreaper()
    server = start(user, Path(directory), command)
    print(server.pid, flush=True)
    last_words: list[str] = []

    def wait_for_the_end() -> None:
        last_words.append(sys.stdin.readline())
        end(server, int(stop_signal))

    waiting = threading.Thread(target=wait_for_the_end)
    waiting.start()
    server.wait()
    sweep()
    waiting.join()
    sweep()
    if last_words != ["keep\n"]:
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    main()
