"""Tables that belong to no model of this project, read by models in an app registry of their own."""

from __future__ import annotations

from typing import TypeVar

from django.db import connections, models

M = TypeVar("M", bound=models.Model)


def table_exists(model: type[models.Model], using: str) -> bool:
    return model._meta.db_table in connections[using].introspection.table_names()


def read_rows(model: type[M], using: str) -> list[M]:
    """All rows, by id. A column that this version of the ancestor had not yet keeps its default."""
    connection = connections[using]
    with connection.cursor() as cursor:
        there = {column.name for column in connection.introspection.get_table_description(cursor, model._meta.db_table)}
    names = [field.attname for field in model._meta.concrete_fields if field.column in there]
    rows = model._default_manager.using(using).order_by("pk").values(*names)
    return [model(**values) for values in rows]
