"""PostgreSQL: a start, a renewal and the first half of a finish as one statement each, instead of two to seven.

The parts are the querysets and values of the plain form, which stands beside each caller, so conditions are written
once. Whatever these statements do not change, the plain form decides: no row is an answer. All parts of a statement
see one snapshot; but a row that another transaction has changed meanwhile is locked and its conditions are tested
again. Each statement locks in the order of all others: JobState, Run, Lease.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from django.db import connections
from django.db.models import Model, QuerySet
from django.db.models.sql import UpdateQuery

from chroniker.clock.database_clock import clock_columns
from chroniker.conf import settings
from chroniker.models import Job, JobState, Lease, Run

M = TypeVar("M", bound=Model)
Part = tuple[str, Sequence[Any]]
Values = Mapping[str, Any]

#: Tests compare both forms. It is no setting: both do the same.
ENABLED = True


def is_available() -> bool:
    return ENABLED and connections[settings.database].vendor == "postgresql"


@dataclass(frozen=True, slots=True)
class StartedRun:
    """The started run with its job, the job's state, the clock and the server."""

    run: Run
    state: JobState
    now: dt.datetime
    server: str


def start(
    claim: QuerySet[Run], values: Values, lease: QuerySet[Lease], lease_values: Values, *, with_server: bool
) -> StartedRun | None:
    """Update the run if it is in ``claim``, and then its lease."""
    moved, moved_params = _update(claim, values)
    held, held_params = _update(lease, lease_values)
    row = _fetch(
        f"WITH moved AS ({moved} RETURNING *), "  # nosec B608
        f"held AS ({held} AND EXISTS (SELECT FROM moved) RETURNING 1) "
        f"SELECT {clock_columns(settings.database, with_server=with_server)}, "
        f"{_columns(Run, 'moved')}, {_columns(Job, 'job')}, {_columns(JobState, 'state')} "
        f"FROM moved CROSS JOIN held JOIN {_table(Job)} job ON job.{_name(Job, 'id')} = moved.{_name(Run, 'job')} "
        f"JOIN {_table(JobState)} state ON state.{_name(JobState, 'job')} = job.{_name(Job, 'id')}",
        [*moved_params, *held_params],
    )
    if row is None:
        return None
    now, server, *rest = row
    run, job, state = _instances(rest, Run, Job, JobState)
    run.job = job
    return StartedRun(run, state, now, server)


def renew(
    lease: QuerySet[Lease], values: Values, *, with_server: bool
) -> tuple[dt.datetime | None, str, dt.datetime, str] | None:
    """Update the lease. Returns time and author of the run's stop request, the clock and the server."""
    renewed, params = _update(lease, values)
    stop = ", ".join(f"run.{_name(Run, name)}" for name in ("stop_requested_at", "stop_requested_by"))
    row = _fetch(
        f"WITH renewed AS ({renewed} RETURNING {_name(Lease, 'run')} AS run_id) "  # nosec B608
        f"SELECT {stop}, {clock_columns(settings.database, with_server=with_server)} "
        f"FROM {_table(Run)} run JOIN renewed ON renewed.run_id = run.{_name(Run, 'id')}",
        params,
    )
    return None if row is None else (row[0], row[1], row[2], row[3])


def close(run_id: UUID, state: QuerySet[JobState], run: QuerySet[Run], values: Values) -> JobState | None:
    """Lock the state of the run's job, update the run, and delete its lease. Returns the state."""
    locked, locked_params = state.query.get_compiler(connection=connections[settings.database]).as_sql()
    moved, moved_params = _update(run, values)
    row = _fetch(
        f"WITH state AS MATERIALIZED ({locked}), "  # nosec B608
        f"moved AS ({moved} AND EXISTS (SELECT FROM state) RETURNING 1), "
        f"freed AS (DELETE FROM {_table(Lease)} WHERE {_name(Lease, 'run')} = %s AND EXISTS (SELECT FROM moved)) "
        f"SELECT {_columns(JobState, 'state')} FROM state CROSS JOIN moved",
        [*locked_params, *moved_params, run_id],
    )
    return None if row is None else _instances(row, JobState)[0]


def _update(rows: QuerySet[Any], values: Values) -> Part:
    """The statement of ``rows.update(**values)``; its WHERE stands last.

    Conditions on columns of other tables have to be subqueries of their own: a join would move all conditions into a
    subquery, which PostgreSQL does not test again after it waited for the row.
    """
    query: Any = rows.query.chain(UpdateQuery)
    query.add_update_values(values)
    compiler = query.get_compiler(connection=connections[settings.database])
    sql, params = compiler.as_sql()
    assert len([name for name, uses in query.alias_refcount.items() if uses]) == 1, "a join"
    return sql, params


def _fetch(sql: str, params: Sequence[Any]) -> Sequence[Any] | None:
    with connections[settings.database].cursor() as cursor:
        cursor.execute(sql, params)
        row: Sequence[Any] | None = cursor.fetchone()
        return row


def _instances(values: Sequence[Any], *models: type[Any]) -> list[Any]:
    """Model instances of the values of all their columns, one model after the other."""
    connection = connections[settings.database]
    made = []
    for model in models:
        fields = model._meta.concrete_fields
        own, values = list(values[: len(fields)]), values[len(fields) :]
        for n, field in enumerate(fields):
            for convert in field.get_db_converters(connection):
                own[n] = convert(own[n], None, connection)
        made.append(model.from_db(connection.alias, [field.attname for field in fields], own))
    return made


def _columns(model: type[Model], alias: str) -> str:
    quote = connections[settings.database].ops.quote_name
    return ", ".join(f"{alias}.{quote(str(field.column))}" for field in model._meta.concrete_fields)


def _table(model: type[Model]) -> str:
    return connections[settings.database].ops.quote_name(model._meta.db_table)


def _name(model: type[Model], field: str) -> str:
    return connections[settings.database].ops.quote_name(str(model._meta.get_field(field).column))  # type: ignore[union-attr]
