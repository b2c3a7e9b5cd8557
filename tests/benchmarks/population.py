"""Jobs like those of a real project: many schedules, several time zones, some dependencies."""

from __future__ import annotations

import datetime as dt
import random
from typing import Any

from django.core.management.color import no_style
from django.db import connection, models

from chroniker.clock.database_clock import database_now
from chroniker.lifecycle.bulk import write_states
from chroniker.lifecycle.claim import CLAIM_COLUMNS
from chroniker.models import FINAL_STATUSES, Job, JobDependency, JobState, Lease, Run, Status, Trigger
from chroniker.schedule import latest_instant_until, next_instant_after
from chroniker.schedule.zones import zone_rules_version
from chroniker.scheduler.pending_work import find_pending_work
from tests.support import many_rows

#: The number of jobs created through the ORM; the database copies them to create more.
DIFFERENT = 5_000
#: Every fifth job waits for the one before it.
DEPENDENT = 5
ZONES = ("UTC", "Europe/Paris", "America/New_York", "Asia/Kolkata", "Australia/Sydney")
FAR = dt.timedelta(days=3)
LONG_AGO = dt.timedelta(days=400)
KEYS: dict[type[models.Model], str] = {Job: "id", JobState: "job_id", JobDependency: "dependent_id"}


def populate(jobs: int, history: int = 0) -> None:
    """Fill the empty tables with ``jobs`` jobs, none of which is due within the next days, and ``history``
    closed runs (PostgreSQL)."""
    now = database_now()
    first = [_job(number) for number in range(1, min(jobs, DIFFERENT) + 1)]
    Job.objects.bulk_create(first)
    Job.objects.update(edited_at=None)  # their states are booked below
    JobState.objects.bulk_create(_state(job, now) for job in first)
    JobDependency.objects.bulk_create(
        JobDependency(dependent_id=job.pk, dependee_id=job.pk - 1) for job in first if job.pk % DEPENDENT == 0
    )
    for shift in range(DIFFERENT, jobs, DIFFERENT):
        count = min(DIFFERENT, jobs - shift)
        for model in KEYS:
            _copy(model, shift, count)
    with connection.cursor() as cursor:  # the ids were given
        for statement in connection.ops.sequence_reset_sql(no_style(), [Job, JobDependency]):
            cursor.execute(statement)
    if history:
        _close_runs(jobs, history, now)
    tidy()


def _close_runs(jobs: int, history: int, now: dt.datetime) -> None:
    """One closed run after the other for all jobs in turn."""
    first = Run.objects.create(
        job_id=1, token=1, chain=1, status=Status.SUCCEEDED, trigger=Trigger.SCHEDULE, origin=Trigger.SCHEDULE,
        claimed_at=now, dispatched_at=now, taken_at=now, started_at=now, finished_at=now, scheduled_for=now,
        covered_until=now, host="worker-1", exit_code=0, executor="default", worker="worker-1",
    )  # fmt: skip
    many_rows.copy_runs(first, history - 1, jobs)
    Run.objects.update(uncounted_since=None)
    JobState.objects.update(last_token=1 + history // jobs)


def _job(number: int) -> Job:
    minute, hour = number * 7 % 60, number * 11 % 24
    expressions = (
        "* * * * *",
        "*/5 * * * *",
        f"{minute} * * * *",
        f"{minute} {hour} * * *",
        f"{minute} {hour} * * 1-5",
        f"{minute} {hour},{(hour + 12) % 24} * * *",
        f"{minute} {hour} 1 * *",
        f"{minute}-59/15 8-18 * * 1-5",
        f"0 {hour} * * sun",
    )
    return Job(
        id=number,
        name=f"job {number}",
        command="noop",
        args="--verbosity 1 --no-color",
        cron=expressions[number % len(expressions)],
        timezone=ZONES[number // len(expressions) % len(ZONES)],
    )


def _state(job: Job, now: dt.datetime) -> JobState:
    upcoming = next_instant_after(job.spec, now + FAR)
    return JobState(
        job=job,
        booked_fingerprint=job.spec.fingerprint(),
        booked_zone_rules=zone_rules_version(),
        covered_until=now,
        last_instant=latest_instant_until(job.spec, now - LONG_AGO),  # it ran before, as most jobs have
        next_instant=upcoming,
        next_run=upcoming,
        last_status=Status.SUCCEEDED,
        last_finished_at=now,
    )


def _copy(model: type[models.Model], shift: int, count: int) -> None:
    """Insert the first ``count`` rows again, with ``shift`` added to every id."""
    meta, quote = model._meta, connection.ops.quote_name
    columns = [quote(str(field.column)) for field in meta.concrete_fields]
    values = [_copied(field, quote(str(field.column)), shift) for field in meta.concrete_fields]
    table, key = quote(meta.db_table), quote(KEYS[model])
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({', '.join(columns)}) SELECT {', '.join(values)} FROM {table} WHERE {key} <= {count}"
        )


def _copied(field: models.Field[Any, Any], column: str, shift: int) -> str:
    if field.primary_key or field.is_relation:
        return f"{column} + {shift}"
    if field.column == "name":
        return f"{column} || '+{shift}'" if connection.vendor == "sqlite" else f"CONCAT({column}, '+{shift}')"
    return column


def tidy() -> None:
    """Update the statistics, as the server would do later by itself. SQLite has no statistics."""
    statement = {"postgresql": "VACUUM ANALYZE", "mysql": "ANALYZE TABLE"}.get(connection.vendor)
    if statement:
        with connection.cursor() as cursor:
            for model in (Job, JobState, JobDependency, Run, Lease):
                cursor.execute(f"{statement} {connection.ops.quote_name(model._meta.db_table)}")


class Stage:
    """Makes jobs due for each measurement and resets them afterwards, other jobs each time."""

    def __init__(self, jobs: int, due: int, history: int = 0) -> None:
        self.due, self._has_history = due, history > 0
        self._random = random.Random(jobs)
        # Never a job with dependents: the dependent would not be due then.
        self._eligible = [number for number in range(1, jobs + 1) if number % DEPENDENT != DEPENDENT - 1]
        self._touched: list[JobState] = []

    def set(self) -> list[JobState]:
        """Reset the jobs of the last measurement and make as many other jobs due. Returns their states.

        The new statistics make the session forget its plans and what it knows of the tables. A process that ticks
        meets that once a minute; one statement more repeats it before the measurement.
        """
        self.clear()
        ids = self._random.sample(self._eligible, self.due)
        states = list(JobState.objects.filter(pk__in=ids).select_related("job"))
        now = database_now()
        self._touched = [JobState(**_values(state)) for state in states]
        for state in states:
            state.next_instant = state.next_run = latest_instant_until(state.job.spec, now)
        write_states(states, CLAIM_COLUMNS)
        tidy()
        find_pending_work(None)
        return states

    def clear(self) -> None:
        """No runs but those of the history, and nothing due."""
        if self._has_history:
            Lease.objects.all().delete()
            Run.objects.exclude(status__in=FINAL_STATUSES).delete()
        else:
            _empty(Lease, Run)
        if self._touched:
            write_states(self._touched, CLAIM_COLUMNS)
        self._touched = []


def _empty(*tables: type[models.Model]) -> None:
    statement = "TRUNCATE {} CASCADE" if connection.vendor == "postgresql" else "DELETE FROM {}"
    with connection.cursor() as cursor:
        for model in tables:
            cursor.execute(statement.format(connection.ops.quote_name(model._meta.db_table)))


def _values(state: JobState) -> dict[str, Any]:
    return {field.attname: getattr(state, field.attname) for field in JobState._meta.concrete_fields}
