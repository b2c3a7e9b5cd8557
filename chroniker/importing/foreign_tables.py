"""Reads tables of other packages, with models in a separate app registry."""

from __future__ import annotations

from typing import TypeVar

from django.db import connections, models

M = TypeVar("M", bound=models.Model)


def table_exists(model: type[models.Model], using: str) -> bool:
    return model._meta.db_table in connections[using].introspection.table_names()


def read_rows(model: type[M], using: str) -> list[M]:
    """All rows, ordered by id. A column that does not exist keeps its default."""
    connection = connections[using]
    with connection.cursor() as cursor:
        columns = connection.introspection.get_table_description(cursor, model._meta.db_table)
    existing = {column.name for column in columns}
    names = [field.attname for field in model._meta.concrete_fields if field.column in existing]
    rows = model._default_manager.using(using).order_by("pk").values(*names)
    return [model(**values) for values in rows]
