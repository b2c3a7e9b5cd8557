"""MariaDB, as installed by the system."""

from __future__ import annotations

from pathlib import Path

from tests.support.servers.base import HOST, Server, program


def binary() -> Path | None:
    return program("CHRONIKER_TEST_MARIADBD", "mariadbd", "/usr/sbin/mariadbd", "/usr/local/sbin/mariadbd")


def installer() -> Path | None:
    return program("CHRONIKER_TEST_MARIADB_INSTALL_DB", "mariadb-install-db", "/usr/local/bin/mariadb-install-db")


class MariaDBServer(Server):
    """Commits are written at once and flushed later: data survives a crash of the process, not of the machine."""

    name = "mariadb"
    user = "root"

    @classmethod
    def available(cls) -> bool:
        return binary() is not None and installer() is not None

    def prepare(self) -> None:
        found = installer()
        assert found is not None
        root_without_password = "--auth-root-authentication-method=normal"
        self.run_as_service(
            found, "--no-defaults", f"--datadir={self.directory / 'data'}", root_without_password, "--skip-test-db"
        )

    def command(self) -> list[str]:
        return [
            str(binary()),
            "--no-defaults",
            f"--datadir={self.directory / 'data'}",
            f"--port={self.port}",
            f"--bind-address={HOST}",
            f"--socket={self.directory / 'sock'}",
            f"--pid-file={self.directory / 'pid'}",
            "--skip-name-resolve",
            "--innodb-flush-log-at-trx-commit=2",
            "--max-connections=300",
            "--character-set-server=utf8mb4",
            "--collation-server=utf8mb4_unicode_ci",
        ]

    def ready(self) -> bool:
        import pymysql

        try:
            pymysql.connect(host=HOST, port=self.port, user=self.user, connect_timeout=5).close()
        except pymysql.MySQLError:  # ``pymysql.err`` is another module after ``install_as_MySQLdb``
            return False
        return True
