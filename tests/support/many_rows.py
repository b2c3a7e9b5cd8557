"""Fills the database with many jobs and runs, in SQL: for tests of plans and of the cost of pages.

For SQLite and PostgreSQL alone: the plans of MariaDB are not tested.
"""

from __future__ import annotations

import datetime as dt
from uuid import uuid4

from django.db import connection, models

from chroniker.clock.database_clock import database_now
from chroniker.models import Job, JobState, Lease, Run, RunHour, Status, Trigger

#: By vendor: a new id of a run; a time so many seconds earlier.
NEW_ID = {"sqlite": "lower(hex(randomblob(16)))", "postgresql": "gen_random_uuid()"}
EARLIER = {"sqlite": "datetime({0}, '-' || ({1}) || ' seconds')", "postgresql": "{0} - ({1}) * interval '1 second'"}
TIMES = ("claimed_at", "dispatched_at", "taken_at", "started_at", "finished_at", "scheduled_for", "covered_until")


def fill(jobs: int, runs_each: int = 1) -> None:
    """Write ``jobs`` jobs, each with its state and ``runs_each`` closed runs, one in fifty of them failed."""
    now = database_now()
    first = Job.objects.create(name="job 1", command="noop", cron="0 3 * * *", timezone="UTC")
    Job.objects.filter(pk=first.pk).update(edited_at=None)
    JobState.objects.create(
        job=first, next_run=now + dt.timedelta(hours=9), next_instant=now + dt.timedelta(hours=9), covered_until=now,
        last_token=runs_each, last_status=Status.SUCCEEDED, last_finished_at=now, p50=2.5, p95=4, recent_seconds=[2.5],
        n_succeeded=runs_each,
    )  # fmt: skip
    run = Run.objects.create(
        job=first, token=1, chain=1, status=Status.SUCCEEDED, trigger=Trigger.SCHEDULE, origin=Trigger.SCHEDULE,
        claimed_at=now, dispatched_at=now, started_at=now, finished_at=now, scheduled_for=now, covered_until=now,
        host="worker-1", exit_code=0,
    )  # fmt: skip
    RunHour.objects.create(job=first, hour=now.replace(minute=0, second=0, microsecond=0), succeeded=5, delay_0=5)
    _copy(Job, "id", {"name": "'job ' || n"}, jobs)
    _copy(JobState, "job_id", {}, jobs)
    hour = EARLIER[connection.vendor].format("t.hour", "3600 * (n % 720)")
    _copy(RunHour, "job_id", {"id": None, "hour": hour}, jobs)
    _copy_runs(run, jobs * runs_each - 1, jobs)
    _open_some(jobs)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _open_some(jobs: int) -> None:
    """Twenty running jobs."""
    now = database_now()
    for job in Job.objects.order_by("pk")[jobs // 2 : jobs // 2 + 20]:
        token = job.state.last_token + 1
        run = Run.objects.create(
            job=job, token=token, status=Status.RUNNING, trigger=Trigger.SCHEDULE, claimed_at=now, started_at=now,
            nonce=uuid4(), host="worker-1",
        )  # fmt: skip
        Lease.objects.create(run=run, job=job, token=token, nonce=run.nonce, expires_at=now + dt.timedelta(hours=1))


def _numbers(low: int, high: int) -> str:
    """A table of the numbers from ``low`` to ``high``, as ``numbers(n)``."""
    return f"WITH RECURSIVE numbers(n) AS (SELECT {low} UNION ALL SELECT n + 1 FROM numbers WHERE n < {high})"


def _columns(model: type[models.Model], change: dict[str, str | None]) -> tuple[str, str]:
    """The columns to write, and the expressions for them; a change of ``None`` leaves the column to its default."""
    columns = [str(field.column) for field in model._meta.concrete_fields]
    names = [name for name in columns if change.get(name, "") is not None]
    quote = connection.ops.quote_name
    return ", ".join(map(quote, names)), ", ".join(change.get(name) or f"t.{quote(name)}" for name in names)


def _copy(model: type[models.Model], key: str, change: dict[str, str | None], rows: int) -> None:
    """Copy the only row of the table, with the keys that follow its own."""
    low = model.objects.values_list(key, flat=True)[0]  # type: ignore[attr-defined]
    names, values = _columns(model, {key: "n", **change})
    table = connection.ops.quote_name(model._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({names}) {_numbers(low + 1, low + rows - 1)} SELECT {values} FROM numbers, {table} t"
        )


def _copy_runs(run: Run, rows: int, jobs: int) -> None:
    """Copy this run for all jobs: run number ``n`` belongs to job ``n % jobs``, and is ``n`` seconds old."""
    vendor, low = connection.vendor, run.job_id
    change: dict[str, str | None] = {
        "id": NEW_ID[vendor],
        "job_id": f"{low} + n % {jobs}",
        "token": f"1 + n / {jobs}",
        "chain": f"1 + n / {jobs}",
        "status": "CASE WHEN n % 50 = 7 THEN 'FAILED' ELSE 'SUCCEEDED' END",
        "host": "'worker-' || n % 5",
        **{name: EARLIER[vendor].format(f"t.{name}", "n") for name in TIMES},
    }
    names, values = _columns(Run, change)
    table = connection.ops.quote_name(Run._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({names}) {_numbers(1, rows)} SELECT {values} FROM numbers, {table} t"
            f" WHERE t.job_id = {low} AND t.token = 1 AND t.host = 'worker-1'"
        )
