"""How the faults reach the database: as its administrator. The actors are ordinary users."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from django.db.utils import DatabaseError

from tests.support.processes import wait_until

Query = Callable[[str], list[Any]]

#: How far its clock may seem to be from ours: a question takes a while on a machine that is busy.
CLOCK_TOLERANCE = 5.0
ACTORS = "chroniker_actors"
GRANTS: dict[str, tuple[str, ...]] = {
    "postgresql": (
        f"CREATE ROLE {ACTORS} LOGIN",
        f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {ACTORS}",
        f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {ACTORS}",
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO {ACTORS}",
    ),
    "mysql": (
        f"CREATE USER {ACTORS}",
        f"GRANT CREATE, DROP, SELECT, INSERT, UPDATE, DELETE ON *.* TO {ACTORS}",
    ),
    "sqlite": (),
}


def vendor() -> str:
    """``postgresql``, ``mysql`` or ``sqlite``."""
    from django.db import connection

    return connection.vendor


@contextmanager
def query_function() -> Iterator[Query]:
    """Put statements to the database, one after the other, on a connection that is new and ends here."""
    from django.db import connection

    def query(statement: str) -> list[Any]:
        with connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall()) if cursor.description else []

    connection.close()
    try:
        yield query
    finally:
        connection.close()


@contextmanager
def take_remaining_connections() -> Iterator[None]:
    """Take those that the actors are still allowed, up to a dozen."""
    from django.db import connection

    with ExitStack() as stack:
        mine = connection.copy()
        parameters = {**mine.get_connection_params(), "user": ACTORS}
        with suppress(Exception):  # there are no more
            for _each in range(12):
                stack.callback(mine.get_new_connection(parameters).close)
        yield


def create_actor_account() -> None:
    """An account for them, once the tables are there."""
    with query_function() as query:
        for statement in GRANTS[vendor()]:
            query(statement)


def wait_for_database() -> None:
    """Until it answers, on a new connection: one that is older may have ended with an earlier server. And until its
    clock is right: a server whose clock was set wrong keeps the wrong time for a second or two."""
    from chroniker.clock.database_clock import database_now

    def answers_right() -> bool:
        try:
            with query_function():
                return abs(database_now().timestamp() - time.time()) < CLOCK_TOLERANCE
        except DatabaseError:
            return False

    wait_until(answers_right, seconds=60, what="the database answers, and is right about the time")
