"""The database of all simulated worlds: prepared once, restored before each history. SQLite, or PostgreSQL."""

from __future__ import annotations

import sqlite3
from typing import Any

from tests.simulation.backend import statements
from tests.simulation.world import World

SQLITE = {
    "ENGINE": "tests.simulation.backend",
    "NAME": ":memory:",
    "OPTIONS": {"transaction_mode": "IMMEDIATE"},
}
_template: list[sqlite3.Connection] = []
_postgres: list[Any] = []  #: the module, once it is used


def use_postgres() -> dict[str, Any]:
    """Start a server; Django's settings for it."""
    from tests.simulation.postgres import database

    _postgres[:] = [database]
    return database.start()


def prepare() -> None:
    """Create the tables. Once for the Python process."""
    from django.core.management import call_command

    if _postgres:
        _postgres[0].prepare()
        return
    call_command("migrate", verbosity=0)
    template = sqlite3.connect(":memory:", isolation_level=None)
    statements.raw().backup(template)
    _template[:] = [template]


def restore(world: World) -> None:
    """As it was after `prepare`, for this world."""
    if _postgres:
        _postgres[0].restore(world)
        return
    if statements.raw().in_transaction:
        statements.raw().rollback()
    _template[0].backup(statements.raw())
    world.roll_back = lambda: statements.release(rollback=True)


def rows(statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """Rows of the database, read past Django."""
    if _postgres:
        found: list[tuple[Any, ...]] = _postgres[0].rows(statement, parameters)
        return found
    return statements.raw().execute(statement, parameters).fetchall()
