"""The database of all simulated worlds: migrated once, restored before each history."""

from __future__ import annotations

import sqlite3

from tests.simulation.backend import statements

_template: list[sqlite3.Connection] = []


def prepare() -> None:
    """Create the tables. Once for the Python process."""
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    template = sqlite3.connect(":memory:", isolation_level=None)
    statements.raw().backup(template)
    _template[:] = [template]


def restore() -> None:
    if statements.raw().in_transaction:
        statements.raw().rollback()
    _template[0].backup(statements.raw())
