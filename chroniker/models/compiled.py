"""Queries that are compiled once and sent often: Django often takes longer to build one than a database to answer.

A list of ids is one parameter on PostgreSQL and SQLite. Elsewhere a query with such a list is built each time, by the
same function.
"""

from __future__ import annotations

import copy
import datetime as dt
import functools
import json
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from django.core.exceptions import EmptyResultSet
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import BooleanField, DateTimeField, Expression, F, Field, Func, Model, QuerySet
from django.db.models.query import ModelIterable
from django.db.models.sql.compiler import SQLCompiler

from chroniker.clock import jump_detection, simulated_time
from chroniker.conf import settings, settings_state
from chroniker.models import installation
from chroniker.process.kernel import host_clock

#: A query is compiled again after this time. This limits the effect of an input that
#: ``_values_compiled_into_queries`` lacks.
COMPILED_QUERY_LIFETIME_SECONDS = 60

#: Not a setting: tests set it to False, to compare the two ways. Both do the same.
USE_COMPILED_QUERIES = True

M = TypeVar("M", bound=Model)
Rows = QuerySet[Any, Any]


class QueryParameter(Expression):
    """A value that is given with each use of a compiled query, by its name."""

    def __init__(self, name: str, output_field: Field[Any, Any] | None = None) -> None:
        super().__init__(output_field=output_field or DateTimeField())
        self.name = name

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, Any]:
        return "%s", [self]


class ColumnInIds(Func):
    """SQL condition: the column, a key of an integer type, is one of these ids. ``ids`` may be a ``QueryParameter``."""

    output_field = BooleanField()

    def __init__(self, column: str, ids: Collection[int] | QueryParameter) -> None:
        super().__init__(F(column))
        self.ids = ids if isinstance(ids, QueryParameter) else list(ids)

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, **context: Any) -> tuple[str, Any]:  # type: ignore[override]
        column, params = compiler.compile(self.source_expressions[0])
        if connection.vendor == "postgresql":
            return f"{column} = ANY(%s::bigint[])", [*params, self.ids]
        if connection.vendor == "sqlite":
            ids = self.ids if isinstance(self.ids, QueryParameter) else json.dumps(self.ids)
            return f"{column} IN (SELECT value FROM json_each(%s))", [*params, ids]  # nosec B608
        assert not isinstance(self.ids, QueryParameter)
        if not self.ids:
            raise EmptyResultSet
        return f"{column} IN ({', '.join(['%s'] * len(self.ids))})", [*params, *self.ids]


def fetch_rows(build: Callable[..., Rows], *inputs: Any, **given: Any) -> list[Any]:
    """The rows of ``build(*inputs, **given)``, which returns a queryset of value lists.

    ``inputs`` are hashable and decide the text of the query; ``given`` are times, ids, and lists of ids for
    ``ColumnInIds``. All other values in the text must be in ``_values_compiled_into_queries``.
    """
    return _fetch_rows(build, inputs, given, _execute_for_values)


def fetch_models(build: Callable[..., QuerySet[M]], *inputs: Any, **given: Any) -> list[M]:
    """Like ``fetch_rows``, where ``build`` returns a queryset of models, with ``select_related`` and annotations."""
    return _fetch_rows(build, inputs, given, _execute_for_models)


def _fetch_rows(
    build: Callable[..., Rows],
    inputs: tuple[Any, ...],
    given: Mapping[str, Any],
    execute: Callable[[_CompiledQuery, Mapping[str, Any], BaseDatabaseWrapper], list[Any]],
) -> list[Any]:
    """The rows of ``build``: by ``execute`` where the query can be compiled."""
    connection = connections[settings.database]
    if not _can_be_compiled(given, connection):
        return list(build(*inputs, **given))
    query = _compile_query(build, inputs, given)
    return [] if query is None else execute(query, given, connection)


def _execute_for_values(query: _CompiledQuery, given: Mapping[str, Any], connection: BaseDatabaseWrapper) -> list[Any]:
    with connection.cursor() as cursor:
        _let_driver_convert_times(cursor, connection)
        cursor.execute(*query.bind(given, connection))
        rows: list[Any] = cursor.fetchall()
    return list(query.compiler.apply_converters(rows, query.converters)) if query.converters else rows


def _let_driver_convert_times(cursor: Any, connection: BaseDatabaseWrapper) -> None:
    """Let the driver convert times itself. Django uses a function in Python instead, which is fifteen times slower.

    Both give the same values where the zone of the connection is UTC, Django's default.
    """
    psycopg = sys.modules.get("psycopg")
    if psycopg is None or connection.timezone is not dt.UTC or not hasattr(cursor.cursor, "adapters"):
        return
    column_type = psycopg.adapters.types["timestamptz"].oid
    cursor.cursor.adapters.register_loader(
        "timestamptz", psycopg.adapters.get_loader(column_type, psycopg.pq.Format.TEXT)
    )


def _execute_for_models(query: _CompiledQuery, given: Mapping[str, Any], connection: BaseDatabaseWrapper) -> list[Any]:
    compiler: Any = copy.copy(query.compiler)
    compiler.connection, bound = connection, query.bind(given, connection)
    compiler.as_sql = lambda: bound
    source: Any = SimpleNamespace(get_compiler=lambda using: compiler)
    return list(ModelIterable(QuerySet(compiler.query.model, query=source, using=settings.database)))


def _can_be_compiled(given: Mapping[str, Any], connection: BaseDatabaseWrapper) -> bool:
    return USE_COMPILED_QUERIES and not (
        connection.vendor == "mysql" and any(isinstance(each, list) for each in given.values())
    )


def _adapt_value(value: Any, connection: BaseDatabaseWrapper) -> Any:
    """The value as the driver takes it."""
    if connection.vendor == "postgresql":
        return value
    if isinstance(value, dt.datetime):
        return connection.ops.adapt_datetimefield_value(value)
    if isinstance(value, UUID):
        return value if connection.features.has_native_uuid_field else value.hex
    return json.dumps(value) if isinstance(value, list) else value


class _CompiledQuery(NamedTuple):
    sql: str
    params: Sequence[Any]
    compiler: SQLCompiler
    converters: dict[int, Any]

    def bind(self, given: Mapping[str, Any], connection: BaseDatabaseWrapper) -> tuple[str, list[Any]]:
        """The text and the parameters of one execution."""
        values = {name: _adapt_value(value, connection) for name, value in given.items()}
        params = [values[each.name] if isinstance(each, QueryParameter) else each for each in self.params]
        return simulated_time.insert_simulated_time(self.sql), params


def _compile_query(
    build: Callable[..., Rows], inputs: tuple[Any, ...], given: Mapping[str, Any]
) -> _CompiledQuery | None:
    with simulated_time.compile_with_time_placeholder():
        return _compile_cached_query(build, inputs, tuple(given), _values_compiled_into_queries())


@functools.lru_cache(maxsize=64)
def _compile_cached_query(
    build: Callable[..., Rows], inputs: tuple[Any, ...], given: tuple[str, ...], environment: Any
) -> _CompiledQuery | None:
    """``None``: the query can have no row."""
    del environment
    rows = build(*inputs, **{name: QueryParameter(name) for name in given})
    compiler = rows.query.get_compiler(settings.database)
    try:
        sql, params = compiler.as_sql()
    except EmptyResultSet:
        return None
    return _CompiledQuery(sql, params, compiler, compiler.get_converters([column[0] for column in compiler.select]))


def _values_compiled_into_queries() -> tuple[Any, ...]:
    return (
        settings_state(),
        (settings.database, settings.select_for_update, settings.installation, settings.hostname),
        (installation.read_database_identity_without_query(), jump_detection.last_known_server()),
        simulated_time.simulated_now() is None,
        host_clock.monotonic() // COMPILED_QUERY_LIFETIME_SECONDS,
    )
