"""Fills the database with many jobs and runs, in SQL: for tests of plans and of the cost of pages.

For SQLite and PostgreSQL alone: the plans of MariaDB are not tested.
"""

from __future__ import annotations

import datetime as dt
from uuid import uuid4

from django.db import connection, models

from chroniker.clock.database_clock import database_now
from chroniker.models import (
    Group,
    Host,
    HostService,
    Job,
    JobDependency,
    JobState,
    Lease,
    Run,
    RunHour,
    RunTotal,
    Status,
    Ticker,
    TickMinute,
    Trigger,
)

#: By vendor: a new id of a run; a time so many seconds earlier.
NEW_ID = {"sqlite": "lower(hex(randomblob(16)))", "postgresql": "gen_random_uuid()"}
EARLIER = {"sqlite": "datetime({0}, '-' || ({1}) || ' seconds')", "postgresql": "{0} - ({1}) * interval '1 second'"}
TIMES = ("claimed_at", "dispatched_at", "taken_at", "started_at", "finished_at", "scheduled_for", "covered_until")


#: Groups, queues and commands that ``vary`` spreads the jobs over.
GROUPS, QUEUES, COMMANDS = 50, 5, 100


def fill(jobs: int, runs_each: int = 1, hours_each: int = 1) -> None:
    """Write ``jobs`` jobs, each with its state, ``runs_each`` closed runs, one in fifty of them failed, and
    ``hours_each`` hourly counts."""
    now = database_now()
    first = Job.objects.create(name="job 1", command="noop", cron="0 3 * * *", timezone="UTC")
    Job.objects.filter(pk=first.pk).update(edited_at=None)
    JobState.objects.create(
        job=first, next_run=now + dt.timedelta(hours=9), next_instant=now + dt.timedelta(hours=9), covered_until=now,
        last_token=runs_each, last_status=Status.SUCCEEDED, last_finished_at=now, p50=2.5, p95=4,
        recent_seconds=[2.5] * 50, n_succeeded=runs_each, bad_permille=0,
    )  # fmt: skip
    run = Run.objects.create(
        job=first, token=1, chain=1, status=Status.SUCCEEDED, trigger=Trigger.SCHEDULE, origin=Trigger.SCHEDULE,
        claimed_at=now, dispatched_at=now, started_at=now, finished_at=now, scheduled_for=now, covered_until=now,
        host="worker-1", exit_code=0, executor="default", worker="worker-1",
    )  # fmt: skip
    RunHour.objects.create(job=first, hour=now.replace(minute=0, second=0, microsecond=0), succeeded=5, delay_0=5)
    _copy(Job, "id", {"name": "'job ' || n"}, jobs)
    _copy(JobState, "job_id", {}, jobs)
    _copy_hours(first.pk, jobs, hours_each)
    start = now.replace(minute=0, second=0, microsecond=0)
    RunTotal.objects.bulk_create(
        RunTotal(start=start - dt.timedelta(minutes=30 * n), succeeded=jobs, failed=n % 7, delay_0=jobs)
        for n in range(48 * 30)
    )
    copy_runs(run, jobs * runs_each - 1, jobs)
    _open_some(jobs)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def vary(jobs: int) -> None:
    """Make the jobs of ``fill`` different: groups, queues and commands; next runs within a day; one in a hundred is
    disabled, one in a thousand fails, one in a thousand is due; one in twenty waits for the job before it."""
    low, vendor = Job.objects.order_by("pk").values_list("pk", flat=True)[0], connection.vendor
    groups = [Group.objects.create(name=f"group {n}").pk for n in range(GROUPS)]
    n = f"({{0}} - {low})"
    due = EARLIER[vendor].format("next_run", f"CASE WHEN {n} % 1000 = 3 THEN 32520 ELSE ({n} * 7) % 28800 END")
    since = EARLIER[vendor].format("next_run", "36000")
    ended = EARLIER[vendor].format("last_finished_at", f"{n} * 7 % 86400")
    updates = (
        f"UPDATE chroniker_jobstate SET last_finished_at = {ended}, p50 = {n} * 11 % 300,"
        f" bad_permille = CASE WHEN {n} % 20 = 0 THEN {n} * 13 % 500 ELSE 0 END".format("job_id"),
        f"UPDATE chroniker_job SET group_id = {groups[0]} + {n} % {GROUPS}, queue = 'queue-' || {n} % {QUEUES},"
        f" command = 'command_' || {n} % {COMMANDS}, enabled = ({n} % 100 <> 11)".format("id"),
        f"UPDATE chroniker_jobstate SET failing_since = {since}, failures = 3, last_status = 'FAILED'"
        f" WHERE {n} % 1000 = 5".format("job_id"),
        f"UPDATE chroniker_jobstate SET next_run = {due}, next_instant = {due}".format("job_id"),
        "UPDATE chroniker_jobstate SET next_run = NULL, next_instant = NULL"
        " WHERE job_id IN (SELECT id FROM chroniker_job WHERE NOT enabled)",
    )
    with connection.cursor() as cursor:
        for statement in updates:
            cursor.execute(statement)
    JobDependency.objects.bulk_create(
        JobDependency(dependent_id=low + number, dependee_id=low + number - 1, wait_for_success=True)
        for number in range(20, jobs, 20)
    )
    _work()
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _work() -> None:
    """Five live workers, and the ticks of an hour."""
    now = database_now()
    minute = now.replace(second=0, microsecond=0)
    for number in range(QUEUES):
        host = Host.objects.create(name=f"worker-{number}", last_seen=now, clock_skew_seconds=0.1)
        HostService.objects.create(
            host=host, executor="default", worker=f"worker-{number}", queues=[f"queue-{number}"], slots=8, busy=4,
            last_seen=now, version="1",
        )  # fmt: skip
        Ticker.objects.create(host=host.name, kind="beat", pid=number, period=5.0, last_at=now, pass_seconds=0.1)
        TickMinute.objects.bulk_create(
            TickMinute(host=host.name, minute=minute - dt.timedelta(minutes=n), passes=12, longest_pass=0.1, claimed=60)
            for n in range(60)
        )


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
        JobState.objects.filter(job=job).update(last_token=token)


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


def _copy_hours(low: int, jobs: int, each: int) -> None:
    """Copy the only row: the counts of a job are ``720 / each`` hours apart."""
    age = f"3600 * ((n + (n / {jobs}) * {720 // each}) % 720)"
    change = {"id": None, "job_id": f"{low} + n % {jobs}", "hour": EARLIER[connection.vendor].format("t.hour", age)}
    names, values = _columns(RunHour, change)
    table = connection.ops.quote_name(RunHour._meta.db_table)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({names}) {_numbers(1, jobs * each - 1)} SELECT {values} FROM numbers, {table} t"
            " WHERE true ON CONFLICT DO NOTHING"
        )


def copy_runs(run: Run, rows: int, jobs: int) -> None:
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
        if vendor == "postgresql":  # without the checks of foreign keys, one for each row
            cursor.execute("SET session_replication_role = replica")
        cursor.execute(
            f"INSERT INTO {table} ({names}) {_numbers(1, rows)} SELECT {values} FROM numbers, {table} t"
            f" WHERE t.job_id = {low} AND t.token = 1 AND t.host = 'worker-1'"
        )
        if vendor == "postgresql":
            cursor.execute("SET session_replication_role = DEFAULT")
