"""The clock that decides: the database's. Read once for a pass, then passed down as ``now``."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db import NotSupportedError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import DateTimeField, Func, TextField
from django.db.models.sql.compiler import SQLCompiler

from chroniker.clock import simulated_time
from chroniker.conf import settings

# Not Django's ``Now``: on MySQL that is the session's local time, on SQLite whole seconds, and on PostgreSQL the
# statement's start, which is old after a wait for a lock. SQLite compares texts, and its clock has milliseconds:
# with six digits, as Django writes times, two equal milliseconds compare as equal.
_NOW_SQL = {
    "postgresql": "clock_timestamp()",
    "mysql": "UTC_TIMESTAMP(6)",
    "sqlite": "(STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', 'now') || '000')",
}
_NOW_PLUS_SECONDS_SQL = {
    "postgresql": "clock_timestamp() + make_interval(secs => %s)",
    "mysql": "UTC_TIMESTAMP(6) + INTERVAL %s SECOND",
    "sqlite": "(STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', 'now', %s || ' seconds') || '000')",
}
# The same with a simulated time, as a literal.
_SIMULATED_NOW_SQL = {
    "postgresql": "TIMESTAMPTZ '{moment}+00'",
    "mysql": "TIMESTAMP '{moment}'",
    "sqlite": "(STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', '{moment}') || '000')",
}
_SIMULATED_NOW_PLUS_SECONDS_SQL = {
    "postgresql": "TIMESTAMPTZ '{moment}+00' + make_interval(secs => %s)",
    "mysql": "TIMESTAMP '{moment}' + INTERVAL %s SECOND",
    "sqlite": "(STRFTIME('%%Y-%%m-%%d %%H:%%M:%%f', '{moment}', %s || ' seconds') || '000')",
}
# The identity of the server, as far as an unprivileged user can read it; empty where that is impossible. PostgreSQL:
# the cluster, and its timeline, which each promotion of a standby counts up (in the name of the file that is written
# now; the control file says so only after the next checkpoint). MariaDB and MySQL: the server's host and number, but
# for Galera, whose nodes count as one server.
_SERVER_SQL_BY_VENDOR = {
    "postgresql": "(SELECT system_identifier FROM pg_control_system())::text || ':' || CASE WHEN pg_is_in_recovery() "
    "THEN 'standby' ELSE left(pg_walfile_name(pg_current_wal_lsn()), 8) END",
    "mysql": "CONCAT(@@hostname, ':', @@port, ':', @@server_id)",
    "mariadb": "IF(@@wsrep_on, '', CONCAT(@@hostname, ':', @@port, ':', @@server_id))",
    "sqlite": "''",
}


def _sql_for_vendor(templates: dict[str, str], vendor: str) -> str:
    try:
        return templates[vendor]
    except KeyError:
        raise NotSupportedError(f"chroniker runs on PostgreSQL, MariaDB, MySQL and SQLite, not on {vendor}.") from None


def _now_sql(vendor: str) -> str:
    return _clock_sql(_NOW_SQL, _SIMULATED_NOW_SQL, vendor)


def _now_plus_seconds_sql(vendor: str) -> str:
    return _clock_sql(_NOW_PLUS_SECONDS_SQL, _SIMULATED_NOW_PLUS_SECONDS_SQL, vendor)


def _clock_sql(real: dict[str, str], simulated: dict[str, str], vendor: str) -> str:
    if simulated_time.simulated_now() is None:
        return _sql_for_vendor(real, vendor)
    return _sql_for_vendor(simulated, vendor).format(moment=simulated_time.simulated_time_literal())


def database_now(using: str | None = None) -> dt.datetime:
    """The database's clock, aware, in UTC."""
    connection = connections[using or settings.database]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {_now_sql(connection.vendor)}", [])
        (value,) = cursor.fetchone()
    return to_aware_utc(value)


def database_now_and_server(using: str | None = None) -> tuple[dt.datetime, str]:
    """The database's clock and the server's identity, in one statement. May raise if the identity is not readable."""
    connection = connections[using or settings.database]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {_now_sql(connection.vendor)}, {_server_sql(connection)}", [])
        value, server = cursor.fetchone()
    return to_aware_utc(value), str(server)


def to_aware_utc(value: Any) -> dt.datetime:
    """Convert a time that a driver returned to an aware time in UTC."""
    moment: dt.datetime = dt.datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment.replace(tzinfo=dt.UTC) if moment.tzinfo is None else moment.astimezone(dt.UTC)


def _server_sql(connection: BaseDatabaseWrapper) -> str:
    is_mariadb = getattr(connection, "mysql_is_mariadb", False)
    return _sql_for_vendor(_SERVER_SQL_BY_VENDOR, "mariadb" if is_mariadb else connection.vendor)


class ServerIdentity(Func):
    """SQL expression: the server that answers. Use it only where ``database_now_and_server`` has worked."""

    output_field = TextField()

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any) -> tuple[str, Any]:  # type: ignore[override]
        return f"({_server_sql(connection)})", []


class NowPlus(Func):
    """SQL expression: the database's clock when the row is written, plus ``delta`` (which may be negative).

    ``seconds``: the same as a number, or on PostgreSQL as a parameter of a statement that is compiled once.
    """

    output_field = DateTimeField()

    def __init__(self, delta: dt.timedelta = dt.timedelta(), seconds: Any = None) -> None:
        super().__init__()
        self.seconds = delta.total_seconds() if seconds is None else seconds

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any) -> tuple[str, Any]:  # type: ignore[override]
        # SQLite wants a sign and text ("+2.500000 seconds"), the others a number.
        seconds: Any = f"{self.seconds:+f}" if connection.vendor == "sqlite" else self.seconds
        return f"({_now_plus_seconds_sql(connection.vendor)})", [seconds]


class StatementNowPlus(NowPlus):
    """Like ``NowPlus``, for conditions that search: one value for the whole statement, so that an index can be used.

    PostgreSQL evaluates ``clock_timestamp()`` for each row. After a wait for a lock this value is old.
    """

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any) -> tuple[str, Any]:  # type: ignore[override]
        sql, params = super().as_sql(compiler, connection, **context)
        return sql.replace("clock_timestamp()", "statement_timestamp()"), params


def clock_columns_sql(using: str, *, with_server: bool) -> str:
    """SQL of the columns "now" (to be read with ``to_aware_utc``) and "server", for a statement of the caller."""
    connection = connections[using]
    server = _server_sql(connection) if with_server else "''"
    return f"{_now_sql(connection.vendor)}, {server}"
