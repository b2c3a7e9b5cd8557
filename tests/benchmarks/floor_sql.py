"""The statements of the floor: as few as each database allows. PostgreSQL takes whole columns as arrays.

Columns that may not be NULL and have no value here get the default of their model.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection, models

from chroniker.conf import settings
from chroniker.models import JobState, Run


class Wanted(NamedTuple):
    """The values to write for one job."""

    run_id: UUID
    job_id: int
    token: int
    instant: dt.datetime
    upcoming: dt.datetime


LOCKS = {"postgresql": "FOR NO KEY UPDATE OF s SKIP LOCKED", "mysql": "FOR UPDATE SKIP LOCKED", "sqlite": ""}

RUN_COLUMNS = (
    "id", "job_id", "token", "status", "trigger", "attempt", "scheduled_for", "covered_until", "claimed_at",
    "redispatch_at",
)  # fmt: skip
STATE_COLUMNS = ("job_id", "covered_until", "next_instant", "next_run", "last_token", "retry_attempt")
LEASE = "INSERT INTO chroniker_lease (run_id, job_id, slot, token, expires_at)"

ALL_AT_ONCE = """
    WITH wanted AS (
        SELECT * FROM unnest(%s::uuid[], %s::bigint[], %s::bigint[], %s::timestamptz[], %s::timestamptz[])
            AS wanted (id, job_id, token, instant, upcoming)
    ), runs AS (
        INSERT INTO chroniker_run ({columns})
        SELECT id, job_id, token, 'CLAIMED', 'SCHEDULE', 1, instant, instant, %s, %s, {places} FROM wanted
    ), leases AS (
        {lease} SELECT id, job_id, '', token, %s FROM wanted
    )
    UPDATE chroniker_jobstate s SET covered_until = instant, next_instant = upcoming, next_run = upcoming,
        last_token = token, retry_attempt = 1, retry_at = NULL
    FROM wanted WHERE s.job_id = wanted.job_id
"""
UPSERT = {
    "mysql": """
        INSERT INTO chroniker_jobstate ({columns}) VALUES (%s, %s, %s, %s, %s, 1, {places})
        ON DUPLICATE KEY UPDATE covered_until = VALUES(covered_until), next_instant = VALUES(next_instant),
            next_run = VALUES(next_run), last_token = VALUES(last_token), retry_attempt = 1, retry_at = NULL
    """,
    "sqlite": """
        INSERT INTO chroniker_jobstate ({columns}) VALUES (%s, %s, %s, %s, %s, 1, {places})
        ON CONFLICT (job_id) DO UPDATE SET covered_until = excluded.covered_until,
            next_instant = excluded.next_instant, next_run = excluded.next_run, last_token = excluded.last_token,
            retry_attempt = 1, retry_at = NULL
    """,
}


def find(now: dt.datetime) -> list[tuple[int, dt.datetime, int]]:
    """Job, scheduled time and last token of due jobs, with row locks."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT s.job_id, s.next_instant, s.last_token"
            " FROM chroniker_jobstate s JOIN chroniker_job j ON j.id = s.job_id"
            f" WHERE s.next_run <= %s AND j.enabled ORDER BY s.job_id {LOCKS[connection.vendor]}",
            [_moment(now)],
        )
        return list(cursor.fetchall())


def write(wanted: Sequence[Wanted], now: dt.datetime) -> None:
    """Insert runs and leases, and update the job states."""
    redispatch, deadline = _moment(now + settings.redispatch), _moment(now + settings.start_deadline)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            given = [list(column) for column in zip(*wanted, strict=True)]
            columns, places, others = _columns(Run, RUN_COLUMNS)
            sql = ALL_AT_ONCE.format(columns=columns, places=places, lease=LEASE)
            cursor.execute(sql, [*given, now, redispatch, *others, deadline])
            return
        rows = [(_key(run_id), job, token, _moment(at), _moment(then)) for run_id, job, token, at, then in wanted]
        columns, places, others = _columns(Run, RUN_COLUMNS)
        cursor.executemany(
            f"INSERT INTO chroniker_run ({columns})"
            f" VALUES (%s, %s, %s, 'CLAIMED', 'SCHEDULE', 1, %s, %s, %s, %s, {places})",
            [(key, job, token, at, at, _moment(now), redispatch, *others) for key, job, token, at, _ in rows],
        )
        cursor.executemany(
            f"{LEASE} VALUES (%s, %s, '', %s, %s)", [(key, job, token, deadline) for key, job, token, _, _ in rows]
        )
        columns, places, others = _columns(JobState, STATE_COLUMNS)
        states = [(job, at, then, then, token, *others) for _, job, token, at, then in rows]
        cursor.executemany(UPSERT[connection.vendor].format(columns=columns, places=places), states)


def mark(run_ids: Sequence[UUID], now: dt.datetime) -> None:
    """Record that the messages of the runs are sent."""
    with connection.cursor() as cursor:
        change = "UPDATE chroniker_run SET dispatched_at = %s, redispatch_at = %s, dispatch_count = 1 WHERE id "
        values = [_moment(now), _moment(now + settings.redispatch)]
        if connection.vendor == "postgresql":
            cursor.execute(f"{change} = ANY(%s)", [*values, list(run_ids)])
        else:
            places = ", ".join(["%s"] * len(run_ids))
            cursor.execute(f"{change} IN ({places})", [*values, *map(_key, run_ids)])


def _columns(model: type[models.Model], named: Sequence[str]) -> tuple[str, str, list[Any]]:
    """The named columns and all others that may not be NULL; placeholders and default values of the others."""
    others: list[models.Field[Any, Any]] = [
        field for field in model._meta.concrete_fields if not field.null and field.column not in named
    ]
    values = [field.get_db_prep_save(field.get_default(), connection) for field in others]
    columns = ", ".join(map(connection.ops.quote_name, [*named, *(str(field.column) for field in others)]))
    return columns, ", ".join(["%s"] * len(others)), values


def _moment(value: dt.datetime) -> Any:
    return connection.ops.adapt_datetimefield_value(value)


def _key(value: UUID) -> Any:
    return Run._meta.pk.get_db_prep_value(value, connection)
