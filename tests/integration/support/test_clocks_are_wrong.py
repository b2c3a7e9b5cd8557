"""The fault runner sets wrong clocks for a database server and for a process."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psycopg
import pymysql
import pytest

from tests.support.processes import wait_until
from tests.support.servers import HOST, MariaDBServer, PostgresServer, Server, WrongClock

pytestmark = pytest.mark.faketime

HOUR = 3600.0


def database_time(server: Server) -> float:
    """Uses a new connection."""
    connection: Any
    if isinstance(server, PostgresServer):
        connection = psycopg.connect(host=HOST, port=server.port, user=server.user, dbname="postgres")
    else:
        connection = pymysql.connect(host=HOST, port=server.port, user=MariaDBServer.user)
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT CURRENT_TIMESTAMP" if isinstance(server, PostgresServer) else "SELECT UTC_TIMESTAMP(6)")
        moment: dt.datetime = cursor.fetchone()[0]
    return (moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)).timestamp()


def ahead(server: Server) -> float:
    return database_time(server) - dt.datetime.now(dt.UTC).timestamp()


@pytest.mark.parametrize("kind", [PostgresServer, MariaDBServer], indirect=True)
def test_a_database_continues_when_its_clock_jumps(kind: type[Server]) -> None:
    with kind(may_err=True) as server:
        assert server.clock is not None
        assert abs(ahead(server)) < HOUR / 2
        for offset in (HOUR, -HOUR, 0):
            server.clock.set(offset)
            wait_until(lambda offset=offset: abs(ahead(server) - offset) < HOUR / 2, what=f"{offset} s ahead")  # type: ignore[misc]


def test_a_process_and_its_children_use_a_wrong_wall_clock_and_correct_monotonic_clocks(tmp_path: Path) -> None:
    clock = WrongClock(tmp_path / "clock")
    clock.set(HOUR)
    script = "import time; print(time.time(), time.monotonic(), time.clock_gettime(time.CLOCK_BOOTTIME))"
    start = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {script!r}])"
    result = subprocess.run(
        [sys.executable, "-c", start], env={**os.environ, **clock.environ()}, capture_output=True, text=True, check=True
    )
    wall, monotonic, boot = (float(each) for each in result.stdout.split())
    assert abs(wall - time.time() - HOUR) < HOUR / 2
    assert abs(monotonic - time.monotonic()) < HOUR / 2
    assert abs(boot - time.clock_gettime(time.CLOCK_BOOTTIME)) < HOUR / 2
