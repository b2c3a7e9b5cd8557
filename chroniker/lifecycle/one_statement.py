"""PostgreSQL: a start, a renewal and the first half of a finish as one statement each, instead of two to seven.

The parts are the querysets and values of the plain form, which each caller has too. So conditions are written once. A
process compiles them once, with parameters. If such a statement returns no row, the caller uses the plain form, and its
result counts. All parts of a statement see one snapshot; but a row that another transaction has changed meanwhile is
locked and its conditions are tested again. Each statement locks in the order of all others: JobState, Run, Lease.
"""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connections
from django.db.models import Model, QuerySet
from django.db.models.sql import UpdateQuery

from chroniker.clock.database_clock import clock_columns_sql
from chroniker.conf import settings
from chroniker.models import Group, Job, JobState, Lease, Run
from chroniker.models.statements import Statement, Values, make_select

#: Not a setting: tests set it to False, to compare the two forms. Both do the same.
USE_COMBINED_STATEMENTS = True


def are_combined_statements_available() -> bool:
    return USE_COMBINED_STATEMENTS and connections[settings.database].vendor == "postgresql"


@dataclass(frozen=True, slots=True)
class StartStatementResult:
    """The started run with its job, two columns of the job's state, the clock and the server."""

    run: Run
    last_success_until: dt.datetime | None
    alerts_open: int
    now: dt.datetime
    server: str


@dataclass(frozen=True, slots=True)
class CloseStatementResult:
    """The closed run with its job and group, and the facts that were annotated; the state of the job, locked.

    ``is_fresh``: the job has not changed since its state was locked. If false, another transaction may have changed it
    while this statement waited for the lock.
    """

    run: Run
    state: JobState
    is_fresh: bool


def make_start_statement(
    claim: QuerySet[Run], values: Values, lease: QuerySet[Lease], lease_values: Values, *, with_server: bool
) -> Statement:
    """The statement that updates the run if it is in ``claim``, and then its lease."""
    moved, moved_params = _make_update_statement(claim, values)
    held, held_params = _make_update_statement(lease, lease_values)
    return Statement(
        f"WITH moved AS ({moved} RETURNING {_all_columns_sql(Run, _table_sql(Run))}), "  # nosec B608
        f"held AS ({held} AND EXISTS (SELECT FROM moved) RETURNING 1) "
        f"SELECT {clock_columns_sql(settings.database, with_server=with_server)}, "
        f"state.{_column_sql(JobState, 'last_success_until')}, state.{_column_sql(JobState, 'alerts_open')}, "
        f"{_all_columns_sql(Run, 'moved')}, {_all_columns_sql(Job, 'job')} "
        f"FROM moved CROSS JOIN held "
        f"JOIN {_table_sql(Job)} job ON job.{_column_sql(Job, 'id')} = moved.{_column_sql(Run, 'job')} "
        f"JOIN {_table_sql(JobState)} state ON state.{_column_sql(JobState, 'job')} = job.{_column_sql(Job, 'id')}",
        [*moved_params, *held_params],
    )


def execute_start_statement(statement: Statement, values: Values) -> StartStatementResult | None:
    row = statement.fetch(values)
    if row is None:
        return None
    now, server, last_success_until, alerts_open, *rest = row
    run, job = _make_model_instances(rest, Run, Job)
    run.job = job
    return StartStatementResult(run, last_success_until, alerts_open, now, server)


def make_renewal_statement(lease: QuerySet[Lease], values: Values, *, with_server: bool) -> Statement:
    """The statement that renews the lease and reads the run's stop request."""
    renewed, params = _make_update_statement(lease, values)
    stop = ", ".join(f"run.{_column_sql(Run, name)}" for name in ("stop_requested_at", "stop_requested_by"))
    return Statement(
        f"WITH renewed AS ({renewed} RETURNING {_column_sql(Lease, 'run')} AS run_id) "  # nosec B608
        f"SELECT {stop}, {clock_columns_sql(settings.database, with_server=with_server)} "
        f"FROM {_table_sql(Run)} run JOIN renewed ON renewed.run_id = run.{_column_sql(Run, 'id')}",
        params,
    )


def execute_renewal_statement(
    statement: Statement, values: Values
) -> tuple[dt.datetime | None, str, dt.datetime, str] | None:
    """Returns time and author of the run's stop request, the clock and the server."""
    row = statement.fetch(values)
    return None if row is None else (row[0], row[1], row[2], row[3])


def make_close_statement(
    run_id: Any, state: QuerySet[JobState], run: QuerySet[Run], values: Values, facts: QuerySet[Run]
) -> Statement:
    """The statement that locks the state, updates the run and deletes its lease. ``facts``: annotations of the run."""
    locked, locked_params = make_select(state)
    moved, moved_params = _make_update_statement(run, values)
    names = facts.query.annotations
    known, known_params = make_select(facts.values_list(*names))
    key, version, own = _column_sql(JobState, "job"), _column_sql(JobState, "revision"), _column_sql(Run, "job")
    return Statement(
        f"WITH state AS MATERIALIZED ({locked}), "  # nosec B608
        f"moved AS ({moved} AND EXISTS (SELECT FROM state) RETURNING {_all_columns_sql(Run, _table_sql(Run))}), "
        f"freed AS (DELETE FROM {_table_sql(Lease)} WHERE {_column_sql(Lease, 'run')} = %s "
        f"AND EXISTS (SELECT FROM moved)), "
        f"known ({', '.join(names)}) AS MATERIALIZED ({known}) "
        f"SELECT state.{version} = (SELECT seen.{version} FROM {_table_sql(JobState)} seen "
        f"WHERE seen.{key} = moved.{own}), known.*, {_all_columns_sql(JobState, 'state')}, "
        f"{_all_columns_sql(Run, 'moved')}, {_all_columns_sql(Job, 'job')}, {_all_columns_sql(Group, 'team')} "
        f"FROM moved JOIN state ON state.{key} = moved.{own} "
        f"JOIN {_table_sql(Job)} job ON job.{_column_sql(Job, 'id')} = moved.{own} "
        f"LEFT JOIN {_table_sql(Group)} team ON team.{_column_sql(Group, 'id')} = job.{_column_sql(Job, 'group')} "
        f"CROSS JOIN known",
        [*locked_params, *moved_params, run_id, *known_params],
    )


def execute_close_statement(statement: Statement, values: Values, facts: Sequence[str]) -> CloseStatementResult | None:
    row = statement.fetch(values)
    if row is None:
        return None
    is_fresh, known, columns = row[0], row[1 : 1 + len(facts)], row[1 + len(facts) :]
    state, run, job, group = _make_model_instances(columns, JobState, Run, Job, Group)
    run.job, job.group = job, None if group.pk is None else group
    for name, value in zip(facts, known, strict=True):
        setattr(run, name, value)
    return CloseStatementResult(run, state, is_fresh)


def _make_update_statement(rows: QuerySet[Any], values: Values) -> Statement:
    """The statement of ``rows.update(**values)``. Its last part is the WHERE condition.

    Conditions on columns of other tables have to be subqueries of their own: a join would move all conditions into a
    subquery, and PostgreSQL does not test a subquery again after it has waited for the row.
    """
    query: Any = rows.query.chain(UpdateQuery)
    query.add_update_values(values)
    compiler = query.get_compiler(connection=connections[settings.database])
    sql, params = compiler.as_sql()
    assert len([name for name, uses in query.alias_refcount.items() if uses]) == 1, "a join"
    return Statement(sql, params)


def _make_model_instances(values: Sequence[Any], *models: type[Model]) -> list[Any]:
    """Model instances of the values of all their columns, one model after the other."""
    alias, made, start = settings.database, [], 0
    for model in models:
        names, converters = _column_names_and_converters(model, alias)
        own = list(values[start : start + len(names)])
        for n, convert in converters:
            own[n] = convert(own[n], None, connections[alias])
        made.append(model.from_db(alias, names, own))
        start += len(names)
    return made


@functools.cache
def _column_names_and_converters(model: type[Model], alias: str) -> tuple[list[str], list[tuple[int, Any]]]:
    """The names of the columns, and the converters of some columns, each with the number of its column."""
    fields = model._meta.concrete_fields
    converters = [(n, each) for n, field in enumerate(fields) for each in field.get_db_converters(connections[alias])]
    return [field.attname for field in fields], converters


def _all_columns_sql(model: type[Model], alias: str) -> str:
    """SQL of all columns of ``alias``, as ``_make_model_instances`` reads them."""
    quote = connections[settings.database].ops.quote_name
    return ", ".join(f"{alias}.{quote(str(field.column))}" for field in model._meta.concrete_fields)


def _table_sql(model: type[Model]) -> str:
    """SQL of the name of the model's table."""
    return connections[settings.database].ops.quote_name(model._meta.db_table)


def _column_sql(model: type[Model], field: str) -> str:
    """SQL of the name of the column."""
    return connections[settings.database].ops.quote_name(str(model._meta.get_field(field).column))  # type: ignore[union-attr]
