"""Empties the database after a test that commits. Django's ``flush`` does the same, at several times the cost.

``flush`` truncates all tables and creates content types, permissions and the site again. Here only the tables with rows
are emptied, and what ``migrate`` has created stays, unless a test has changed it.
"""

from __future__ import annotations

from typing import Any

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import TransactionTestCase

#: ``migrate`` fills them.
KEPT = ("django_content_type", "auth_permission", "django_site")

Rows = list[tuple[Any, ...]]
flush = TransactionTestCase._fixture_teardown  # type: ignore[attr-defined]
_created: dict[str, list[Rows]] = {}


def install() -> None:
    """Call it when the test database has been created."""
    for alias in connections:
        _created[alias] = _kept_rows(connections[alias])
    TransactionTestCase._fixture_teardown = empty  # type: ignore[attr-defined]


def empty(case: TransactionTestCase) -> None:
    aliases = case._databases_names(include_mirrors=False)  # type: ignore[attr-defined]
    if all(_kept_rows(connections[alias]) == _created[alias] for alias in aliases):
        for alias in aliases:
            _delete_rows(connections[alias])
    else:
        flush(case)
        _created.update({alias: _kept_rows(connections[alias]) for alias in aliases})


def _kept_rows(connection: BaseDatabaseWrapper) -> list[Rows]:
    with connection.cursor() as cursor:
        found = []
        for table in KEPT:
            cursor.execute(f"SELECT * FROM {table} ORDER BY id")
            found.append(list(cursor.fetchall()))
        return found


def _delete_rows(connection: BaseDatabaseWrapper) -> None:
    """In any order of the tables: their foreign keys are checked at the commit, or not at all."""
    names = connection.introspection.django_table_names(only_existing=True, include_views=False)
    tables = [name for name in names if name not in KEPT]
    with transaction.atomic(connection.alias), connection.constraint_checks_disabled(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":  # no query of a trigger for each deleted row
            cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(" UNION ALL ".join(f"SELECT '{name}' FROM (SELECT 1 FROM {name} LIMIT 1) t" for name in tables))
        for (name,) in cursor.fetchall():
            cursor.execute(f"DELETE FROM {name}")
