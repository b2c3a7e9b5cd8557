"""Database crashes and failovers by the fault runner, and the rows that must remain."""

from __future__ import annotations

from typing import Any

import psycopg
import pymysql
import pytest

from tests.support.processes import wait_until
from tests.support.servers import HOST, FaultProxy, MariaDBServer, PostgresServer, PostgresStandby, Server


def ask(server: Server, statement: str) -> list[tuple[Any, ...]]:
    """Query as the administrator, on a new connection each time."""
    connection: Any
    if isinstance(server, PostgresServer):
        connection = psycopg.connect(host=HOST, port=server.port, user=server.user, dbname="postgres", autocommit=True)
    else:
        connection = pymysql.connect(host=HOST, port=server.port, user=MariaDBServer.user, autocommit=True)
    with connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return list(cursor.fetchall()) if cursor.description else []


@pytest.mark.parametrize("kind", [PostgresServer, MariaDBServer], indirect=True)
def test_committed_rows_survive_a_crash(kind: type[Server]) -> None:
    with kind() as server:
        schema = "public" if kind is PostgresServer else "kept"
        if kind is MariaDBServer:
            ask(server, "CREATE DATABASE kept")
        ask(server, f"CREATE TABLE {schema}.numbers (number INTEGER)")
        for number in range(20):
            ask(server, f"INSERT INTO {schema}.numbers VALUES ({number})")
        server.crash()
        server.start()
        assert [number for (number,) in ask(server, f"SELECT number FROM {schema}.numbers ORDER BY 1")] == [*range(20)]


def test_a_promoted_standby_has_all_replicated_rows() -> None:
    with PostgresServer() as primary, FaultProxy(primary.port) as proxy, PostgresStandby(proxy.port) as standby:
        ask(primary, "CREATE TABLE numbers (number INTEGER)")
        ask(primary, "INSERT INTO numbers VALUES (1)")
        wait_until(lambda: ask(standby, "SELECT 1 FROM pg_tables WHERE tablename = 'numbers'"), what="it follows")
        wait_until(lambda: ask(standby, "SELECT number FROM numbers") == [(1,)], what="it has the row")
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            ask(standby, "INSERT INTO numbers VALUES (2)")
        proxy.set("freeze")
        ask(primary, "INSERT INTO numbers VALUES (3)")
        primary.crash()
        standby.promote()
        ask(standby, "INSERT INTO numbers VALUES (4)")
        assert ask(standby, "SELECT number FROM numbers ORDER BY 1") == [(1,), (4,)]
