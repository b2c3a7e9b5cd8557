"""SQL statements of several parts. A process compiles each once, because Django often needs longer than the database.

The values of one execution are parameters; everything else in a statement is constant in a process, except for settings
that tests change. ``compiled`` does the same for querysets.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model, QuerySet

from chroniker.clock import simulated_time
from chroniker.conf import settings, settings_state
from chroniker.models import prepared
from chroniker.models.compiled import COMPILED_QUERY_LIFETIME_SECONDS, QueryParameter
from chroniker.models.prepared import PreparedStatement
from chroniker.process.kernel import host_clock

R = TypeVar("R")
Values = Mapping[str, Any]


class _ColumnParameter(QueryParameter):
    """The value of a column that the statement writes."""

    def __init__(self, name: str, column: Any) -> None:
        super().__init__(name)
        self.column = column


def statement_parameter(name: str) -> Any:
    """A parameter. ``Statement.bind`` gets its value by this name: an id, a number, a text or a time."""
    return QueryParameter(name)


def make_column_parameters(model: type[Model], columns: Values) -> dict[str, Any]:
    """The same columns, with a parameter in place of each value that is not an SQL expression."""
    return {
        name: value if hasattr(value, "resolve_expression") else _ColumnParameter(name, model._meta.get_field(name))
        for name, value in columns.items()
    }


class Statement:
    """SQL and its parameters. Some may be results of ``statement_parameter``, whose values each execution gives."""

    def __init__(self, sql: str, params: Sequence[Any]) -> None:
        self.sql, self.params = sql, params
        self._prepared: PreparedStatement | None = None

    def __iter__(self) -> Iterator[Any]:
        return iter((self.sql, self.params))

    def bind(self, values: Values, connection: BaseDatabaseWrapper) -> list[Any]:
        """The parameters of one execution."""
        return [
            _convert_for_driver(each, values, connection) if isinstance(each, QueryParameter) else each
            for each in self.params
        ]

    def fetch(self, values: Values) -> Sequence[Any] | None:
        """Execute it on the deciding database; returns its first row."""
        connection, is_real = connections[settings.database], simulated_time.simulated_now() is None
        with connection.cursor() as cursor:
            if (
                is_real
                and connection.vendor == "postgresql"
                and prepared.count_use_and_decide_to_prepare(cursor, self.sql)
            ):
                if self._prepared is None:
                    self._prepared = prepared.make_prepared_statement(self.sql, self.params, connection.connection)
                columns = {each.name: each for each in self.params if isinstance(each, QueryParameter)}
                bound = {name: _convert_for_driver(each, values, connection) for name, each in columns.items()}
                prepared.execute_prepared(cursor, self._prepared, bound)
            else:
                cursor.execute(simulated_time.insert_simulated_time(self.sql), self.bind(values, connection))
            row: Sequence[Any] | None = cursor.fetchone()
            return row


def _convert_for_driver(each: QueryParameter, values: Values, connection: BaseDatabaseWrapper) -> Any:
    value = values[each.name]
    return each.column.get_db_prep_save(value, connection) if isinstance(each, _ColumnParameter) else value


def make_select(rows: QuerySet[Any, Any]) -> Statement:
    """The SELECT of these rows, as a part of another statement."""
    return Statement(*rows.query.get_compiler(connection=connections[settings.database]).as_sql())


def cache_compiled_statement(build: Callable[..., R]) -> Callable[..., R]:
    """Decorator for a function that makes a statement from its arguments, which are hashable. Remembers the result."""

    @functools.lru_cache(maxsize=16)
    def remembered(_inputs: tuple[Any, ...], *args: Any) -> R:
        return build(*args)

    @functools.wraps(build)
    def wrapper(*args: Any) -> R:
        with simulated_time.compile_with_time_placeholder():
            return remembered(_statement_cache_key(), *args)

    return wrapper


def _statement_cache_key() -> tuple[Any, ...]:
    """The settings that statements contain as constants, or depend on."""
    return (
        settings_state(),
        (settings.database, settings.hostname, settings.installation),
        (settings.lease, settings.release, settings.check_lock_file),
        simulated_time.simulated_now() is None,
        host_clock.monotonic() // COMPILED_QUERY_LIFETIME_SECONDS,
    )
