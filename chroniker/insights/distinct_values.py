"""The different values of indexed columns. Each value is found by one search of the index, after the value before."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import connections
from django.db.models import Model

from chroniker.conf import settings
from chroniker.models import Job, Tag

#: Rows of these tables count only where a row of the other table refers to them by this column.
REFERRING_TABLES: dict[type[Model], tuple[str, str]] = {Tag: (Job.tags.through._meta.db_table, "tag_id")}
#: Values of one column that are read.
MAX_VALUES = 500

# A DISTINCT would read the whole index: no supported database skips from one value to the next by itself.
_RECURSIVE_SEARCH_SQL = """
    {name}(value) AS (
        SELECT MIN({column}) FROM {table} WHERE {column} > ''{used}
        UNION ALL
        SELECT (SELECT MIN({column}) FROM {table} WHERE {column} > {name}.value{used}) FROM {name}
        WHERE value IS NOT NULL
    )"""
_FOUND_VALUES_SQL = (
    "SELECT {number}, value FROM (SELECT value FROM {name} WHERE value IS NOT NULL LIMIT {most}) AS some_{name}"
)


def fetch_distinct_values(columns: Sequence[tuple[type[Model], str]]) -> list[list[str]]:
    """For each of these text fields the first ``MAX_VALUES`` values that are not empty. Each field needs an index. One
    statement."""
    connection, searches, results = connections[settings.database], [], []
    quote = connection.ops.quote_name
    for number, (model, field) in enumerate(columns):
        table, column = quote(model._meta.db_table), quote(str(model._meta.get_field(field).column))  # type: ignore[union-attr]
        searches.append(
            _RECURSIVE_SEARCH_SQL.format(
                name=f"found_{number}", column=column, table=table, used=_sql_condition_row_is_used(model)
            )
        )
        results.append(_FOUND_VALUES_SQL.format(name=f"found_{number}", number=number, most=MAX_VALUES))
    found: list[list[str]] = [[] for _column in columns]
    with connection.cursor() as cursor:
        cursor.execute(f"WITH RECURSIVE {','.join(searches)} {' UNION ALL '.join(results)}")  # nosec B608  # names
        for number, value in cursor.fetchall():
            found[number].append(value)
    return found


def _sql_condition_row_is_used(model: type[Model]) -> str:
    """The condition that another table refers to the row."""
    if model not in REFERRING_TABLES:
        return ""
    quote = connections[settings.database].ops.quote_name
    table, column = map(quote, REFERRING_TABLES[model])
    own = f"{quote(model._meta.db_table)}.{quote('id')}"
    return f" AND EXISTS (SELECT 1 FROM {table} WHERE {table}.{column} = {own})"  # nosec B608  # names
