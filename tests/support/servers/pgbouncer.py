"""PgBouncer in transaction mode, in front of a PostgreSQL server of the tests."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.support.servers.base import HOST, Server, program
from tests.support.servers.postgres import PostgresServer

_CONFIGURATION = """[databases]
* = host={host} port={postgres} user={user}
[pgbouncer]
listen_addr = {host}
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {pool_size}
max_client_conn = {clients}
ignore_startup_parameters = extra_float_digits
server_reset_query =
"""


class PgBouncerServer(Server):
    """Many clients share a few sessions of PostgreSQL, each for one transaction at a time.

    `pool_size`: the sessions per database. With one, every transaction is known to use the same session. `clients`:
    at most so many at once.
    """

    name = "pgbouncer"
    user = PostgresServer.user
    stop_signal = signal.SIGINT

    def __init__(self, postgres_port: int, *, pool_size: int = 5, clients: int = 200) -> None:
        super().__init__()
        self.postgres_port = postgres_port
        self.pool_size = pool_size
        self.clients = clients

    @staticmethod
    def _program() -> Path | None:
        return program("CHRONIKER_TEST_PGBOUNCER", "pgbouncer", "/usr/sbin/pgbouncer")

    @classmethod
    def available(cls) -> bool:
        return cls._program() is not None and PostgresServer.available()

    def prepare(self) -> None:
        """The configuration names the port, so it is written at each start."""

    def command(self) -> list[str]:
        path = self.directory / "pgbouncer.ini"
        path.write_text(
            _CONFIGURATION.format(
                host=HOST,
                port=self.port,
                postgres=self.postgres_port,
                user=self.user,
                pool_size=self.pool_size,
                clients=self.clients,
            )
        )
        self.hand_over(path)
        return [str(self._program()), "-q", str(path)]

    def ready(self) -> bool:
        import psycopg

        try:
            psycopg.connect(host=HOST, port=self.port, user=self.user, dbname="postgres", connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True
