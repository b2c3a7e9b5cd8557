"""Compiled queries are kept for all histories of the Python process: Django needs most of the time to build them."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable
from typing import Any

from django.db import connections

from chroniker.eligibility import due
from chroniker.models import compiled
from chroniker.scheduler import pending_work

#: In place of the time after which the product compiles again; what a text depends on is the key without it.
FOR_EVER = 1e12
MOST = 1000


def install() -> None:
    ask: Any = pending_work._remembered
    vars(pending_work)["_remembered"] = functools.lru_cache(maxsize=MOST)(ask.__wrapped__)
    vars(pending_work)["COMPILED_FOR_SECONDS"] = FOR_EVER
    vars(due)["fetch"] = fetch


def fetch(build: Callable[..., Any], *inputs: Any, **given: Any) -> list[Any]:
    """As on PostgreSQL, where only times are given."""
    connection = connections["default"]
    if connection.vendor != "sqlite" or not all(isinstance(value, dt.datetime) for value in given.values()):
        return compiled.fetch(build, *inputs, **given)
    query = _compiled(build, inputs, tuple(given))
    values = {name: connection.ops.adapt_datetimefield_value(value) for name, value in given.items()}
    with connection.cursor() as cursor:
        parameters = [values[each.name] if isinstance(each, compiled.Given) else each for each in query.params]
        cursor.execute(query.sql, parameters)
        rows: list[Any] = [list(row) for row in cursor.fetchall()]
    return list(query.compiler.apply_converters(rows, query.converters))


@functools.lru_cache(maxsize=MOST)
def _compiled(build: Callable[..., Any], inputs: tuple[Any, ...], names: tuple[str, ...]) -> Any:
    rows = build(*inputs, **{name: compiled.Given(name) for name in names})
    compiler = rows.query.get_compiler("default")
    sql, parameters = compiler.as_sql()
    converters = compiler.get_converters([column[0] for column in compiler.select])
    return compiled._Query(sql, parameters, compiler, converters)
