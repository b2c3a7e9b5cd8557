"""Base of all test servers: free port, own directory, unprivileged user, start that waits, reliable stop."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self

from tests.support.servers.wrong_clock import WrongClock

HOST = "127.0.0.1"
START_SECONDS = 60
SERVICE_USER = "nobody"


class ServerUnavailable(RuntimeError):
    """The server's program is not installed here."""


class ServerFailed(RuntimeError):
    """The server did not start. The message contains the end of its log."""


def free_port() -> int:
    """A port that is free now. ``start`` uses another one if it is taken in the meantime."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def service_user() -> str:
    """The user that servers run as; for root an unprivileged user, since some servers refuse to run as root."""
    return SERVICE_USER if os.geteuid() == 0 else ""


def program(variable: str, *candidates: str | Path | None) -> Path | None:
    """The first program that exists: first the value of the environment variable, then the candidates in order."""
    named = os.environ.get(variable)
    for candidate in (named,) if named else candidates:
        found = shutil.which(str(candidate)) if candidate else None
        if found:
            return Path(found)
    return None


class Server(ABC):
    """One server process on loopback. A context manager. The server ends when this process ends, also after SIGKILL."""

    name: ClassVar[str]
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    crash_signal: ClassVar[signal.Signals] = signal.SIGKILL

    def __init__(self, *, may_err: bool = False) -> None:
        """With ``may_err`` a test can set its ``clock`` wrong."""
        self.port = free_port()
        self.pid = 0
        self.clock: WrongClock | None = None
        self._may_err = may_err
        self._directory: Path | None = None
        self._guard: subprocess.Popen[str] | None = None

    @classmethod
    @abstractmethod
    def available(cls) -> bool:
        """Whether the programs it needs are installed here."""

    @abstractmethod
    def command(self) -> list[str]:
        """The command line that starts it in the foreground."""

    @abstractmethod
    def ready(self) -> bool:
        """Whether it answers in its own protocol now."""

    @abstractmethod
    def prepare(self) -> None:
        """Fill the directory before the first start."""

    def environ(self) -> Mapping[str, str]:
        """Additional environment variables of the server."""
        return {}

    @property
    def directory(self) -> Path:
        """Its own directory, owned by the user that it runs as. Removed when it stops."""
        if self._directory is None:
            self._directory = Path(tempfile.mkdtemp(prefix=f"chroniker-{self.name}-"))
            self.hand_over(self._directory)
            self.clock = WrongClock(self._directory / "clock") if self._may_err else None
        return self._directory

    def start(self) -> Self:
        """Start it and wait until it answers. Uses another port if the first one is taken."""
        if not self.available():
            raise ServerUnavailable(f"{self.name} is not installed here")
        if self._directory is None:
            self.prepare()
        for _ in range(3):
            self._launch()
            if self._answers():
                return self
            log = self.log()
            self.stop(keep=True)
            self.port = free_port()
        self.stop()
        raise ServerFailed(f"{self.name} did not start:\n{log[-3000:]}")

    def stop(self, *, keep: bool = False) -> None:
        """End it and all its processes. With ``keep`` its directory stays, so that ``start`` finds its data."""
        if self._guard is not None:
            self._guard.communicate("keep\n" if keep else "end\n")
            self._guard = None
        if self._directory is not None and not keep:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = None
        self.pid = 0

    def crash(self) -> None:
        """End it without a clean shutdown. Its directory stays, so that ``start`` recovers its data."""
        if self.pid:
            with suppress(ProcessLookupError):
                os.kill(self.pid, self.crash_signal)
        self.stop(keep=True)

    def log(self) -> str:
        """The content of its log."""
        path = self.directory / "server.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def hand_over(self, path: Path) -> None:
        """Make the server's user the owner of a file or directory."""
        if service_user():
            shutil.chown(path, service_user(), pwd.getpwnam(service_user()).pw_gid)

    def run_as_service(self, *command: str | Path) -> None:
        """Run a program such as ``initdb`` as the server's user, and wait until it ends."""
        options: dict[str, Any] = {}
        if user := service_user():
            options = {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=self.directory, env=self._environ(), check=False, **options
        )
        if done.returncode:
            raise ServerFailed(f"{command[0]} exited with {done.returncode}:\n{done.stdout}{done.stderr}")

    def _environ(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name in {"PATH", "TMPDIR", "LANG"}}
        clock = self.clock.environ() if self.clock is not None else {}
        return {**kept, "HOME": str(self.directory), **clock, **self.environ()}

    def _launch(self) -> None:
        guard = [sys.executable, str(Path(__file__).with_name("guard.py"))]
        settings = [service_user(), str(int(self.stop_signal)), str(self.directory), "--"]
        self._guard = subprocess.Popen(
            [*guard, *settings, *self.command()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=self.directory,
            env=self._environ(),
            start_new_session=True,
        )
        assert self._guard.stdout is not None
        self.pid = int(self._guard.stdout.readline() or 0)

    def _answers(self) -> bool:
        deadline = time.monotonic() + START_SECONDS
        while self.pid and self._alive() and time.monotonic() < deadline:
            if self.ready():
                return True
            time.sleep(0.05)
        return False

    def _alive(self) -> bool:
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        return True
