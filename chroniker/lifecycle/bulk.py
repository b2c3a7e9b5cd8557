"""Insert or update many rows with one statement.

Django's ``bulk_create`` converts every single value, which takes longer than the rest of a claim. On PostgreSQL this
module hands whole columns to the driver instead.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any, TypeVar

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Field, JSONField, Model

from chroniker.conf import settings
from chroniker.models import JobState

M = TypeVar("M", bound=Model)
Columns = dict["Field[Any, Any]", list[Any]]
#: For some PostgreSQL types: the function that makes the text of a value within an array. The text needs no quotes.
_ARRAY_TEXT_BY_COLUMN_TYPE: dict[str, Callable[[Any], str]] = {
    "bigint": str,
    "integer": str,
    "smallint": str,
    "timestamp with time zone": dt.datetime.isoformat,
    "uuid": str,
}


#: Not a setting: tests set it to False, to compare the two forms. Both do the same.
USE_COLUMN_ARRAYS = True


def _can_send_column_arrays(connection: BaseDatabaseWrapper) -> bool:
    return USE_COLUMN_ARRAYS and connection.vendor == "postgresql"


def insert_rows(model: type[M], rows: Sequence[M]) -> None:
    """Insert these rows. A value that all rows share is sent once."""
    connection = connections[settings.database]
    if not _can_send_column_arrays(connection):
        model._default_manager.bulk_create(rows)
    elif rows:
        common, varying = _split_common_and_varying_columns(_values_by_column(rows, model._meta.concrete_fields))
        statement = _insert_sql(connection, model, common, varying)
        with connection.cursor() as cursor:
            cursor.execute(statement, [*_driver_values_of_first_row(common), *_driver_values_of_all_rows(varying)])
        for row in rows:
            row._state.adding, row._state.db = False, connection.alias


def _insert_sql(connection: BaseDatabaseWrapper, model: type[Model], common: Columns, varying: Columns) -> str:
    table = connection.ops.quote_name(model._meta.db_table)
    names = ", ".join(_quoted_column_names(connection, {**common, **varying}))
    selected = [f"%s::{name}" for name in _column_types(connection, common)]
    if not varying:  # a single row
        return f"INSERT INTO {table} ({names}) SELECT {', '.join(selected)}"
    selected.append("varying.*")
    rows = _unnest_sql(connection, varying)
    return f"INSERT INTO {table} ({names}) SELECT {', '.join(selected)} FROM {rows} AS varying"  # nosec B608  # names


def _update_sql(
    connection: BaseDatabaseWrapper, model: type[Model], key: Columns, common: Columns, varying: Columns
) -> str:
    table = connection.ops.quote_name(model._meta.db_table)
    kinds = zip(_quoted_column_names(connection, common), _column_types(connection, common), strict=True)
    changes = [f"{name} = %s::{kind}" for name, kind in kinds]
    changes += [f"{name} = new.{name}" for name in _quoted_column_names(connection, varying)]
    arrays = {**key, **varying}
    (key_name,) = _quoted_column_names(connection, key)
    new = f"{_unnest_sql(connection, arrays)} AS new ({', '.join(_quoted_column_names(connection, arrays))})"
    return f"UPDATE {table} SET {', '.join(changes)} FROM {new} WHERE {table}.{key_name} = new.{key_name}"  # nosec B608


def write_states(states: Sequence[JobState], fields: Sequence[str]) -> None:
    """Write these fields of each row and increment its revision. The caller has locked the rows and read them since."""
    connection = connections[settings.database]
    fields = [*fields, "revision"]
    for state in states:
        state.revision += 1
    if not _can_send_column_arrays(connection):
        targeted = connection.features.supports_update_conflicts_with_target
        unique = ["job"] if targeted else None
        JobState.objects.bulk_create(states, update_conflicts=True, update_fields=fields, unique_fields=unique)
    elif states:
        meta = JobState._meta
        common, varying = _split_common_and_varying_columns(
            _values_by_column(states, [meta.get_field(name) for name in fields])
        )
        key = _values_by_column(states, [meta.pk])
        statement = _update_sql(connection, JobState, key, common, varying)
        with connection.cursor() as cursor:
            cursor.execute(
                statement, [*_driver_values_of_first_row(common), *_driver_values_of_all_rows({**key, **varying})]
            )


def _values_by_column(rows: Sequence[Model], fields: Sequence[Any]) -> Columns:
    values = [row.__dict__ for row in rows]
    return {field: [row[field.attname] for row in values] for field in fields}


def _split_common_and_varying_columns(columns: Columns) -> tuple[Columns, Columns]:
    """The columns in which all rows have the same value, and the others."""
    common = {field: values[:1] for field, values in columns.items() if values.count(values[0]) == len(values)}
    return common, {field: values for field, values in columns.items() if field not in common}


def _driver_values_of_first_row(columns: Columns) -> Iterator[Any]:
    """The first value of each column for the driver, which converts all types except JSON."""
    connection = connections[settings.database]
    for field, values in columns.items():
        yield field.get_db_prep_save(values[0], connection) if isinstance(field, JSONField) else values[0]


def _driver_values_of_all_rows(columns: Columns) -> Iterator[Any]:
    """All values of each column for the driver. Values of frequent types become one text, since lists are slow."""
    connection = connections[settings.database]
    for (field, values), kind in zip(columns.items(), _column_types(connection, columns), strict=True):
        if (text := _ARRAY_TEXT_BY_COLUMN_TYPE.get(kind)) is not None:
            yield f"{{{','.join(['NULL' if value is None else text(value) for value in values])}}}"
        else:
            is_json = isinstance(field, JSONField)
            yield [field.get_db_prep_save(value, connection) for value in values] if is_json else values


def _quoted_column_names(connection: BaseDatabaseWrapper, columns: Columns) -> list[str]:
    return [connection.ops.quote_name(str(field.column)) for field in columns]


def _column_types(connection: BaseDatabaseWrapper, columns: Columns) -> list[str]:
    return [_column_type(field, connection.alias) for field in columns]


@functools.lru_cache(maxsize=256)
def _column_type(field: Field[Any, Any], alias: str) -> str:
    """The type without a length: a cast to "varchar(10)" would silently truncate a text that the column refuses."""
    return str(field.db_type(connections[alias])).partition("(")[0]


def _unnest_sql(connection: BaseDatabaseWrapper, columns: Columns) -> str:
    return f"unnest({', '.join(f'%s::{name}[]' for name in _column_types(connection, columns))})"


def upsert_counters(rows: Sequence[Model], *, key: Sequence[str], keep_largest: Collection[str]) -> None:
    """Insert these rows, or add their numbers to the rows with the same key. In the columns ``keep_largest``, the
    larger number is kept. One statement; on SQLite, which permits fewer parameters, possibly more."""
    connection = connections[settings.database]
    if not rows:
        return
    meta, quote = rows[0]._meta, connection.ops.quote_name
    fields = [field for field in meta.concrete_fields if not field.primary_key]
    columns = ", ".join(quote(str(field.column)) for field in fields)
    place = f"({', '.join(['%s'] * len(fields))})"
    portion = (connection.features.max_query_params or 30_000) // len(fields)
    for start in range(0, len(rows), portion):
        part = rows[start : start + portion]
        values = [field.get_db_prep_save(getattr(row, field.attname), connection) for row in part for field in fields]
        sql = f"INSERT INTO {quote(meta.db_table)} ({columns}) VALUES {', '.join([place] * len(part))} "  # nosec B608
        with connection.cursor() as cursor:
            cursor.execute(sql + _on_conflict_sql(connection, type(rows[0]), key, keep_largest), values)


def _on_conflict_sql(
    connection: BaseDatabaseWrapper, model: type[Model], key: Sequence[str], largest: Collection[str]
) -> str:
    """The SQL that says what to do with a row whose key exists already."""
    meta, quote = model._meta, connection.ops.quote_name
    targeted = connection.vendor != "mysql"
    greatest = "MAX" if connection.vendor == "sqlite" else "GREATEST"
    changes = []
    for field in meta.concrete_fields:
        name = quote(str(field.column))
        old, new = (f"{quote(meta.db_table)}.{name}", f"excluded.{name}") if targeted else (name, f"VALUES({name})")
        if not field.primary_key and field.name not in key:
            changes.append(f"{name} = " + (f"{greatest}({old}, {new})" if field.name in largest else f"{old} + {new}"))
    unique = ", ".join(quote(str(meta.get_field(name).column)) for name in key)  # type: ignore[union-attr]
    then = f"ON CONFLICT ({unique}) DO UPDATE SET" if targeted else "ON DUPLICATE KEY UPDATE"
    return f"{then} {', '.join(changes)}"
