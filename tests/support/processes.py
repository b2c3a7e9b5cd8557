"""Processes that tests start, and waiting for conditions."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import psutil

T = TypeVar("T")
#: Long enough for a machine with ten times as much to do as it can: no test passes or fails by this limit.
WAIT_SECONDS = 240.0
MARK = "CHRONIKER_TEST_MARK"
#: A JSON object: settings of a test for the processes that it starts; ``tests.settings`` reads it.
SETTINGS_VARIABLE = "CHRONIKER_TEST_SETTINGS"
QUIET_SCANS = 6
PROC = Path("/proc") if Path("/proc/self/environ").exists() else None


def wait_until(condition: Callable[[], T], *, seconds: float = WAIT_SECONDS, what: str = "") -> T:
    """Call ``condition`` until its result is true, and return it. The limit is long: it is no test of speed."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not true after {seconds:g} s: {what or condition}")
        time.sleep(0.02)
    return answer


def with_settings(env: Mapping[str, str], **settings: Any) -> dict[str, str]:
    """A copy of the environment in which Django's settings differ: ``with_settings(env, CHRONIKER_LOCK_TIMEOUT=4)``."""
    before = json.loads(env.get(SETTINGS_VARIABLE, "{}"))
    return {**env, SETTINGS_VARIABLE: json.dumps({**before, **settings})}


class Process:
    """A Python program in its own session, with its output in a log. A context manager that ends all its processes.

    Its child processes inherit a mark in the environment, by which ``survivors`` finds them.
    """

    def __init__(self, words: list[str], env: Mapping[str, str], directory: Path, *, name: str = "process") -> None:
        self.mark = uuid.uuid4().hex
        self.words = words
        self.env = {**env, MARK: self.mark}
        self.log_path = directory / f"{name}-{self.mark[:8]}.log"
        self.cwd: Path | None = None
        self.prefix: list[str] = []  # a command that executes ours in its place
        self.popen: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self.popen is not None, "not started"
        return self.popen.pid

    @property
    def log(self) -> str:
        """Its output so far, of both streams."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def start(self) -> Self:
        with self.log_path.open("ab") as log:
            self.popen = subprocess.Popen(
                [*self.prefix, sys.executable, *self.words],
                env=self.env,
                cwd=self.cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self

    def running(self) -> bool:
        return self.popen is not None and self.popen.poll() is None

    def kill(self, signum: int = signal.SIGKILL) -> None:
        """Send a signal to this process alone."""
        os.kill(self.pid, signum)

    def wait(self, seconds: float = WAIT_SECONDS) -> int:
        """Wait until it ends; its exit status."""
        assert self.popen is not None, "not started"
        return self.popen.wait(seconds)

    def children(self) -> list[psutil.Process]:
        """All its running descendants."""
        with suppress(psutil.NoSuchProcess):
            return psutil.Process(self.pid).children(recursive=True)
        return []

    def children_named(self, *names: str) -> list[psutil.Process]:
        """Its running descendants with one of these names. A descendant may end while the names are read."""
        found = []
        for child in self.children():
            with suppress(psutil.NoSuchProcess):
                found += [child] if child.name() in names else []
        return found

    def survivors(self) -> list[psutil.Process]:
        """All running processes that it or its descendants started, also orphans."""
        return [process for process in marked(self.mark) if process.pid != self.pid]

    def stop(self, seconds: float = 15.0) -> None:
        """Send SIGTERM, then kill it and all its processes. A second SIGTERM ends a wait for runs."""
        if self.popen is None:
            return
        if self.running():
            self.popen.send_signal(signal.SIGCONT)
            for patience in (1.0, seconds):
                self.popen.terminate()
                with suppress(subprocess.TimeoutExpired):
                    self.popen.wait(patience)
        kill_marked(self.mark)
        self.popen.wait()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if error is not None:
            error.add_note(f"--- log of {' '.join(self.words)}\n{self.log[-6000:]}")


def marked(mark: str) -> list[psutil.Process]:
    """Running processes with the mark in their environment, newest first, since those end soonest."""
    found = []
    for pid in sorted(psutil.pids(), reverse=True):
        if _has_mark(pid, mark):
            with suppress(psutil.NoSuchProcess):
                found.append(psutil.Process(pid))
    return found


def _has_mark(pid: int, mark: str) -> bool:
    """False for a zombie, which has no environment, and for a process of another user."""
    try:
        if PROC is not None:  # psutil is too slow to find a process that forks all the time
            return f"{MARK}={mark}".encode() in (PROC / str(pid) / "environ").read_bytes()
        return psutil.Process(pid).environ().get(MARK) == mark
    except (psutil.Error, OSError):
        return False


def kill_marked(mark: str) -> None:
    """Kill all processes with the mark. Stop them first, since one of them may fork all the time."""
    stopped: set[psutil.Process] = set()
    quiet = 0
    while quiet < QUIET_SCANS:
        new = set(marked(mark)) - stopped
        for process in new:
            with suppress(psutil.NoSuchProcess):
                process.suspend()
        stopped |= new
        quiet = 0 if new else quiet + 1
    for process in stopped:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    wait_until(lambda: not marked(mark), what="all killed")


class ManagementCommand(Process):
    """``python -m django NAME ARGS`` as a process."""

    def __init__(self, name: str, *args: str, env: Mapping[str, str], directory: Path) -> None:
        super().__init__(["-m", "django", name, *args], env, directory, name=name)
