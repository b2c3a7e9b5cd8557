"""The PostgreSQL server of all simulated worlds, and its tables: emptied before each history."""

from __future__ import annotations

import atexit
import datetime as dt
import os
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

from tests.simulation.postgres import waits
from tests.simulation.processes import EPOCH, Process
from tests.simulation.world import World, active
from tests.support.servers import HOST, PostgresServer

OPTIONS = "-c TimeZone=UTC -c deadlock_timeout=20ms -c synchronous_commit=off"
_CLOCK = """
CREATE FUNCTION sim_now(seconds double precision) RETURNS timestamptz LANGUAGE sql VOLATILE AS
$$ SELECT pg_read_file('sim_clock')::timestamptz + make_interval(secs => seconds) $$;
CREATE FUNCTION sim_server() RETURNS text LANGUAGE sql VOLATILE AS $$ SELECT btrim(pg_read_file('sim_server')) $$;
"""
_server: list[PostgresServer] = []
_tables: list[str] = []
_contents: dict[str, list[tuple[Any, ...]]] = {}


def start() -> dict[str, Any]:
    """Django's settings for a new server."""
    server = PostgresServer()
    server.start()
    atexit.register(server.stop)
    _server[:] = [server]
    return {
        "ENGINE": "tests.simulation.postgres",
        "NAME": "postgres",
        "USER": server.user,
        "HOST": HOST,
        "PORT": str(server.port),
        "OPTIONS": {"options": OPTIONS},
    }


def prepare() -> None:
    """Create the tables and the clock. Once for the Python process."""
    from django.core.management import call_command

    from chroniker.executors import statement_limit

    vars(statement_limit)["_MIN_STATEMENT_TIME_LIMIT_SECONDS"] = 600.0  # a limit in real time has no meaning here
    server = _server[0]
    waits.install(host=HOST, port=server.port, user=server.user, dbname="postgres", options=OPTIONS)
    waits.ask(_CLOCK)
    write_clock(active())
    call_command("migrate", verbosity=0)
    found = waits.ask("SELECT tablename FROM pg_tables WHERE tablename LIKE 'chroniker%%' ORDER BY 1", *())
    _tables[:] = [name for (name,) in found]
    _contents.update({name: rows for name in _tables if (rows := waits.ask(f"SELECT * FROM {name}"))})


def restore(world: World) -> None:
    world.row_locks = True
    world.end_sessions = end_sessions
    world.before_turn = partial(write_clock, world)
    write_clock(world)
    waits.ask(f"TRUNCATE {', '.join(_tables)} RESTART IDENTITY CASCADE")
    for name, rows in _contents.items():
        for row in rows:
            waits.ask(f"INSERT INTO {name} VALUES ({', '.join(['%s'] * len(row))})", *row)


def write_clock(world: World) -> None:
    """The database's clock, and the server that answers, in files that SQL functions read."""
    now = dt.datetime.fromtimestamp(EPOCH + world.now + world.database_offset, dt.UTC)
    data = Path(_server[0].directory) / "data"
    for name, text in (("sim_clock", now.isoformat()), ("sim_server", world.database_server)):
        path = data / name
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
        os.pwrite(descriptor, f"{text:<40}".encode(), 0)
        os.close(descriptor)


def rows(statement: str, parameters: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    """For the checker: ids without hyphens, as SQLite has them."""
    found = waits.ask(statement.replace("%", "%%").replace("?", "%s"), *parameters)
    return [tuple(value.hex if isinstance(value, UUID) else value for value in row) for row in found]


def end_sessions(process: Process) -> None:
    """Of a process that was killed. The server notices it at once."""
    ended = False
    for thread in process.threads:
        process.world.transactions.discard(thread)
        if thread.database is not None and thread.database.connection is not None:
            waits.end_session(thread.database.connection)
            ended = True
    if ended:
        waits.released()
