"""The proxy detects commits by the servers' responses, with the drivers that Django uses."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pymysql
import pytest

from tests.support.servers import HOST, FaultProxy, MariaDBDialogue, MariaDBServer, PostgresDialogue, PostgresServer

Connect = Callable[[int], Any]


def by_psycopg(port: int) -> Any:
    return psycopg.connect(host=HOST, port=port, user=PostgresServer.user, dbname="postgres", autocommit=True)


def by_psycopg_binding_on_the_server(port: int) -> Any:
    """The extended protocol, with prepared statements."""
    connection = by_psycopg(port)
    connection.prepare_threshold = 0
    return connection


def by_pymysql(port: int) -> Any:
    return pymysql.connect(host=HOST, port=port, user=MariaDBServer.user, database="test_commits", autocommit=True)


@pytest.fixture
def proxy(request: pytest.FixtureRequest, connect: Connect) -> Iterator[FaultProxy]:
    if connect is by_pymysql:
        server = request.getfixturevalue("mariadb_server")
        with pymysql.connect(host=HOST, port=server.port, user=server.user) as connection:
            connection.cursor().execute("CREATE DATABASE IF NOT EXISTS test_commits")
        dialogue: Any = MariaDBDialogue
    else:
        server, dialogue = request.getfixturevalue("postgres_server"), PostgresDialogue
    with FaultProxy(server.port, dialogue=dialogue) as proxy:
        run(connect(proxy.port), "DROP TABLE IF EXISTS commits", "CREATE TABLE commits (number INTEGER)")
        yield proxy
        proxy.set("pass")
        run(connect(proxy.port), "DROP TABLE commits")


def run(connection: Any, *statements: str) -> list[int]:
    """Execute all statements. Returns the rows of the last."""
    with connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return [number for (number,) in cursor.fetchall()] if statements[-1].startswith("SELECT") else []


LOST = (psycopg.OperationalError, pymysql.OperationalError)
each_driver = pytest.mark.parametrize("connect", [by_psycopg, by_psycopg_binding_on_the_server, by_pymysql])


@each_driver
@pytest.mark.parametrize(
    "statements", [["BEGIN", "INSERT INTO commits VALUES (7)", "COMMIT"], ["INSERT INTO commits VALUES (7)"]]
)
def test_a_transaction_stays_committed_if_the_response_is_lost(
    proxy: FaultProxy, connect: Connect, statements: list[str]
) -> None:
    connection = connect(proxy.port)
    proxy.set("lose_commit")
    with pytest.raises(LOST):
        run(connection, *statements)
    assert proxy.broken == 1
    assert run(connect(proxy.port), "SELECT number FROM commits") == [7]


@each_driver
def test_only_responses_to_commits_are_lost(proxy: FaultProxy, connect: Connect) -> None:
    proxy.set("lose_commit")
    rolled_back = ["BEGIN", "INSERT INTO commits VALUES (7)", "UPDATE commits SET number = 8", "ROLLBACK"]
    assert run(connect(proxy.port), *rolled_back, "SELECT number FROM commits") == []
    assert proxy.broken == 0
