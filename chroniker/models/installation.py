"""Whether this database is the original, in which the jobs run, or a copy: cloned, or restored from a backup.

The row of ``Switch`` has the identity of the database in which the jobs run: of the server, and of the table itself. A
dump has this row too; but where it is restored, the database has another identity. Names of hosts are not part of it,
because hosts come and go. *Limits:* a copy of the server's files has the same identity (name it with
``CHRONIKER_INSTALLATION``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Exists, F, Func, Q, QuerySet, TextField
from django.db.models.functions import Coalesce
from django.db.models.sql.compiler import SQLCompiler

from chroniker.clock import jump_detection
from chroniker.clock.database_clock import NowPlus
from chroniker.conf import settings
from chroniker.models.group import SWITCH_ID, Switch

#: In place of an identity that cannot be read.
UNKNOWN_DATABASE_IDENTITY = "unknown"

_SWITCH_TABLE = Switch._meta.db_table
# MariaDB: the name of its host changes with each container, and the time of the table with each ALTER TABLE: one of
# them has to be the same. Nodes of Galera differ and are one database: unknown, which is NULL and equals nothing.
_SERVER_IDENTITY_SQL = {
    "postgresql": "(SELECT system_identifier::text FROM pg_control_system()) || ':' || "
    "(SELECT oid::text FROM pg_database WHERE datname = current_database())",
    "mysql": "CONCAT(@@server_uuid, ':', DATABASE())",
    "mariadb": "IF(@@wsrep_on, NULL, CONCAT(@@hostname, ':', @@datadir, ':', DATABASE()))",
}
_TABLE_CREATION_TIME_SQL = (
    "(SELECT CONCAT(UNIX_TIMESTAMP(CREATE_TIME), ':', DATABASE()) FROM information_schema.TABLES "  # nosec B608
    f"WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = '{_SWITCH_TABLE}')"
)
_TABLE_IDENTITY_SQL = {
    "postgresql": f"to_regclass('{_SWITCH_TABLE}')::oid::text",
    "mysql": _TABLE_CREATION_TIME_SQL,
    "mariadb": f"IF(@@wsrep_on, NULL, {_TABLE_CREATION_TIME_SQL})",
}


class _IdentityExpression(Func):
    output_field = TextField()

    def __init__(self, templates: dict[str, str]) -> None:
        super().__init__()
        self.templates = templates

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any) -> tuple[str, Any]:  # type: ignore[override]
        return f"({self.templates[_vendor(connection)]})", []


def _vendor(connection: BaseDatabaseWrapper) -> str:
    return "mariadb" if getattr(connection, "mysql_is_mariadb", False) else connection.vendor


def _server_and_table_identity() -> tuple[Any, Any]:
    """SQL expressions, or texts: identity of the server, and of the table. Empty: unknown."""
    connection = connections[settings.database]
    if connection.vendor == "sqlite":
        return _sqlite_identity(str(connection.settings_dict["NAME"])), ""
    if connection.vendor == "postgresql" and not jump_detection.last_known_server():
        return "", ""  # perhaps this user may not read it
    return _IdentityExpression(_SERVER_IDENTITY_SQL), _IdentityExpression(_TABLE_IDENTITY_SQL)


def read_database_identity_without_query() -> str:
    """The part of the identity that this process reads without the database: it may change while a process runs."""
    server, _table = _server_and_table_identity()
    return server if isinstance(server, str) else "read by SQL"


def _sqlite_identity(name: str) -> str:
    """The number of the file on its file system: another path may lead to the same file."""
    try:
        return f"inode:{Path(name).stat().st_ino}"
    except OSError:  # in memory
        return ""


def _identity_differs_condition() -> Q:
    """SQL condition: the row has the identity of another database. An unknown identity counts as that of this
    database."""
    server, table = _server_and_table_identity()
    is_known = ~Q(server_identity__in=["", UNKNOWN_DATABASE_IDENTITY])
    if server == "":
        return Q(pk__in=[])
    if table == "":
        return is_known & ~Q(server_identity=server)
    connection = connections[settings.database]
    if connection.vendor == "postgresql":
        return is_known & ~Q(server_identity=server, table_identity=table)
    return is_known & ~Q(server_identity=server) & ~Q(table_identity=table)


def select_switch_if_copied() -> QuerySet[Switch]:
    """The row, if this database is a copy that was not adopted. No row: it is not a copy, or this is not known."""
    name = settings.installation
    rows = Switch.objects.filter(pk=SWITCH_ID)
    if name is False:
        return rows.none()
    if name is None:
        return rows.filter(Q(copied_since__isnull=False) | _identity_differs_condition())
    other_name = ~Q(installation__in=["", name])
    return rows.filter(
        Q(copied_since__isnull=False) | other_name | (Q(installation="") & _identity_differs_condition())
    )


def select_switch_with_identity() -> QuerySet[Switch]:
    """The row, if it has the identity of this database as far as it can be read here, and its name."""
    rows = Switch.objects.filter(pk=SWITCH_ID, **_known_identity_columns()).exclude(server_identity="")
    return rows if settings.installation in (None, False) else rows.filter(installation=settings.installation)


def database_copied_condition() -> Exists:
    """SQL condition: nothing may be claimed, started or sent from here."""
    return Exists(select_switch_if_copied())


def record_database_identity() -> None:
    """Record the identity of this database, and its name if the row has none.

    Called only if ``select_switch_if_copied`` returns no row.

    A part that has changed is replaced: on MariaDB and MySQL the other part may change later, and both together would
    look like a copy. A part that cannot be read here stays as it is.
    """
    Switch.objects.get_or_create(pk=SWITCH_ID)
    rows = Switch.objects.filter(pk=SWITCH_ID, copied_since=None)
    rows.filter(server_identity="").update(
        server_identity=UNKNOWN_DATABASE_IDENTITY, table_identity=UNKNOWN_DATABASE_IDENTITY
    )
    if parts := _known_identity_columns():
        rows.update(**parts)
    if settings.installation:
        rows.filter(installation="").update(installation=settings.installation)


def mark_database_as_copied() -> None:
    """Record that this is a copy, for processes that cannot read its identity. ``adopt_database`` removes the mark."""
    select_switch_if_copied().filter(copied_since=None).update(copied_since=NowPlus())


def adopt_database() -> None:
    """Record that the jobs run in this database from now on."""
    Switch.objects.get_or_create(pk=SWITCH_ID)
    rows, name = Switch.objects.filter(pk=SWITCH_ID), settings.installation or ""
    rows.update(
        server_identity=UNKNOWN_DATABASE_IDENTITY,
        table_identity=UNKNOWN_DATABASE_IDENTITY,
        installation=name,
        copied_since=None,
    )
    record_database_identity()


def _known_identity_columns() -> dict[str, Any]:
    """The parts of the identity that can be read here, by column. If SQL returns NULL for a part, the row keeps its
    value."""
    parts = zip(("server_identity", "table_identity"), _server_and_table_identity(), strict=True)
    return {name: part if isinstance(part, str) else Coalesce(part, F(name)) for name, part in parts if part != ""}
