"""The one clock that decides: the database's. Read anew for each batch, then passed down as ``now``."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db import NotSupportedError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import DateTimeField, Func
from django.db.models.sql.compiler import SQLCompiler

from chroniker.conf import settings

# Not Django's ``Now``: on MySQL that is the session's local time, on SQLite whole seconds, and on PostgreSQL the
# statement's start, which lies behind after a wait for a lock.
_NOW = {
    "postgresql": "clock_timestamp()",
    "mysql": "UTC_TIMESTAMP(6)",
    "sqlite": "STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', 'now')",
}
_LATER = {
    "postgresql": "clock_timestamp() + make_interval(secs => %s)",
    "mysql": "UTC_TIMESTAMP(6) + INTERVAL %s SECOND",
    "sqlite": "STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', 'now', %s || ' seconds')",
}


def _sql(templates: dict[str, str], vendor: str) -> str:
    try:
        return templates[vendor]
    except KeyError:
        raise NotSupportedError(f"chroniker runs on PostgreSQL, MariaDB, MySQL and SQLite, not on {vendor}.") from None


def database_now(using: str | None = None) -> dt.datetime:
    """The database's clock, aware, in UTC."""
    connection = connections[using or settings.database]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {_sql(_NOW, connection.vendor)}", [])
        (value,) = cursor.fetchone()
    if isinstance(value, str):
        value = dt.datetime.fromisoformat(value)
    moment: dt.datetime = value
    return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)


class FromNow(Func):
    """SQL expression: the database's clock when the row is written, plus ``delta`` (which may be negative)."""

    output_field = DateTimeField()

    def __init__(self, delta: dt.timedelta = dt.timedelta()) -> None:
        super().__init__()
        self.seconds = delta.total_seconds()

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any) -> tuple[str, Any]:  # type: ignore[override]
        # SQLite wants a sign and text ("+2.500000 seconds"), the others a number.
        seconds: Any = f"{self.seconds:+f}" if connection.vendor == "sqlite" else self.seconds
        return f"({_sql(_LATER, connection.vendor)})", [seconds]
