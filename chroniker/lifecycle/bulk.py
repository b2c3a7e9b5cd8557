"""Insert or update many rows with one statement.

Django's ``bulk_create`` converts every single value, which takes longer than the rest of a claim. On PostgreSQL this
module hands whole columns to the driver instead.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, TypeVar

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Field, JSONField, Model

from chroniker.conf import settings
from chroniker.models import JobState

M = TypeVar("M", bound=Model)
Columns = dict["Field[Any, Any]", list[Any]]


def insert(model: type[M], rows: Sequence[M]) -> None:
    """Insert these rows. A value that all rows share is sent once."""
    connection = connections[settings.database]
    if connection.vendor != "postgresql":
        model._default_manager.bulk_create(rows)
    elif rows:
        columns = _columns(rows, model._meta.concrete_fields)
        common = {field: values for field, values in columns.items() if values.count(values[0]) == len(rows)}
        varying = {field: values for field, values in columns.items() if field not in common}
        statement = _insertion(connection, model, common, varying)
        with connection.cursor() as cursor:
            cursor.execute(statement, [*(values[0] for values in _adapted(common)), *_adapted(varying)])
        for row in rows:
            row._state.adding, row._state.db = False, connection.alias


def _insertion(connection: BaseDatabaseWrapper, model: type[Model], common: Columns, varying: Columns) -> str:
    table = connection.ops.quote_name(model._meta.db_table)
    names = ", ".join(_names(connection, {**common, **varying}))
    selected = [f"%s::{name}" for name in _types(connection, common)]
    if not varying:  # a single row
        return f"INSERT INTO {table} ({names}) SELECT {', '.join(selected)}"
    selected.append("varying.*")
    rows = _arrays(connection, varying)
    return f"INSERT INTO {table} ({names}) SELECT {', '.join(selected)} FROM {rows} AS varying"  # nosec B608  # names


def write_states(states: Sequence[JobState], fields: Sequence[str]) -> None:
    """Write these fields of each row and increment its revision. The caller has locked the rows and read them since."""
    connection = connections[settings.database]
    fields = [*fields, "revision"]
    for state in states:
        state.revision += 1
    if connection.vendor != "postgresql":
        targeted = connection.features.supports_update_conflicts_with_target
        unique = ["job"] if targeted else None
        JobState.objects.bulk_create(states, update_conflicts=True, update_fields=fields, unique_fields=unique)
    elif states:
        meta = JobState._meta
        columns = _columns(states, [meta.get_field(name) for name in ("job", *fields)])
        key, *names = _names(connection, columns)
        table = connection.ops.quote_name(meta.db_table)
        changes = ", ".join(f"{name} = new.{name}" for name in names)
        new = f"{_arrays(connection, columns)} AS new ({', '.join([key, *names])})"
        with connection.cursor() as cursor:
            statement = f"UPDATE {table} SET {changes} FROM {new} WHERE {table}.{key} = new.{key}"  # nosec B608  # names
            cursor.execute(statement, [*_adapted(columns)])


def _columns(rows: Sequence[Model], fields: Sequence[Any]) -> Columns:
    return {field: [getattr(row, field.attname) for row in rows] for field in fields}


def _adapted(columns: Columns) -> Iterator[list[Any]]:
    """The values of each column for the driver, which converts all types except JSON."""
    connection = connections[settings.database]
    for field, values in columns.items():
        is_json = isinstance(field, JSONField)
        yield [field.get_db_prep_save(value, connection) for value in values] if is_json else values


def _names(connection: BaseDatabaseWrapper, columns: Columns) -> list[str]:
    return [connection.ops.quote_name(str(field.column)) for field in columns]


def _types(connection: BaseDatabaseWrapper, columns: Columns) -> list[str]:
    """The types without lengths: a cast to "varchar(10)" would silently truncate a text that the column refuses."""
    return [str(field.db_type(connection)).partition("(")[0] for field in columns]


def _arrays(connection: BaseDatabaseWrapper, columns: Columns) -> str:
    return f"unnest({', '.join(f'%s::{name}[]' for name in _types(connection, columns))})"


def add(rows: Sequence[Model], *, key: Sequence[str], largest: Collection[str]) -> None:
    """Insert these rows, or add their numbers to the rows with the same key. Of the columns in ``largest``, the larger
    number is kept. One statement; SQLite, which takes fewer parameters, may need more."""
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
            cursor.execute(sql + _addition(connection, type(rows[0]), key, largest), values)


def _addition(connection: BaseDatabaseWrapper, model: type[Model], key: Sequence[str], largest: Collection[str]) -> str:
    """What to do with a row whose key exists already."""
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
