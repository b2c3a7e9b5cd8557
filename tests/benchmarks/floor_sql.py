"""The statements of the floor: as few as each database allows. PostgreSQL takes whole columns as arrays."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

from chroniker.conf import settings
from chroniker.models import Run


class Wanted(NamedTuple):
    """The values to write for one job."""

    run_id: UUID
    job_id: int
    token: int
    instant: dt.datetime
    upcoming: dt.datetime


LOCKS = {"postgresql": "FOR NO KEY UPDATE OF s SKIP LOCKED", "mysql": "FOR UPDATE SKIP LOCKED", "sqlite": ""}

RUN = """
    INSERT INTO chroniker_run (id, job_id, token, slot, status, "trigger", attempt, scheduled_for, covered_until,
        claimed_at, dispatch_count, redispatch_at, stop_requested_by, host, reason, required_host)
"""
LEASE = "INSERT INTO chroniker_lease (run_id, job_id, slot, token, expires_at)"

ALL_AT_ONCE = f"""
    WITH wanted AS (
        SELECT * FROM unnest(%s::uuid[], %s::bigint[], %s::bigint[], %s::timestamptz[], %s::timestamptz[])
            AS wanted (id, job_id, token, instant, upcoming)
    ), runs AS (
        {RUN}
        SELECT id, job_id, token, '', 'CLAIMED', 'SCHEDULE', 1, instant, instant, %s, 0, %s, '', '', '', '' FROM wanted
    ), leases AS (
        {LEASE} SELECT id, job_id, '', token, %s FROM wanted
    )
    UPDATE chroniker_jobstate s SET covered_until = instant, next_instant = upcoming, next_run = upcoming,
        last_token = token, retry_attempt = 1, retry_at = NULL
    FROM wanted WHERE s.job_id = wanted.job_id
"""
UPSERT = {
    "mysql": """
        INSERT INTO chroniker_jobstate (job_id, covered_until, next_instant, next_run, last_token, retry_attempt,
            booked_fingerprint, last_fingerprint, last_status, schedule_error)
        VALUES (%s, %s, %s, %s, %s, 1, '', '', '', '')
        ON DUPLICATE KEY UPDATE covered_until = VALUES(covered_until), next_instant = VALUES(next_instant),
            next_run = VALUES(next_run), last_token = VALUES(last_token), retry_attempt = 1, retry_at = NULL
    """,
    "sqlite": """
        INSERT INTO chroniker_jobstate (job_id, covered_until, next_instant, next_run, last_token, retry_attempt,
            booked_fingerprint, last_fingerprint, last_status, schedule_error)
        VALUES (%s, %s, %s, %s, %s, 1, '', '', '', '')
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
            columns = [list(column) for column in zip(*wanted, strict=True)]
            cursor.execute(ALL_AT_ONCE, [*columns, now, redispatch, deadline])
            return
        rows = [(_key(run_id), job, token, _moment(at), _moment(then)) for run_id, job, token, at, then in wanted]
        values = "VALUES (%s, %s, %s, '', 'CLAIMED', 'SCHEDULE', 1, %s, %s, %s, 0, %s, '', '', '', '')"
        run = RUN.replace('"', connection.ops.quote_name("")[0])
        cursor.executemany(
            f"{run} {values}", [(key, job, token, at, at, _moment(now), redispatch) for key, job, token, at, _ in rows]
        )
        cursor.executemany(
            f"{LEASE} VALUES (%s, %s, '', %s, %s)", [(key, job, token, deadline) for key, job, token, _, _ in rows]
        )
        states = [(job, at, then, then, token) for _, job, token, at, then in rows]
        cursor.executemany(UPSERT[connection.vendor], states)


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


def _moment(value: dt.datetime) -> Any:
    return connection.ops.adapt_datetimefield_value(value)


def _key(value: UUID) -> Any:
    return Run._meta.pk.get_db_prep_value(value, connection)
