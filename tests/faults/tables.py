"""Tables of the checker's own, in the same database: effects of fenced work, and what the scheduler does not keep."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connection

from chroniker.clock.database_clock import database_now
from chroniker.models import Group, Job

TABLES = (
    "CREATE TABLE fault_places (job VARCHAR(100) PRIMARY KEY, place INTEGER NOT NULL)",
    "CREATE TABLE fault_effects (job VARCHAR(100), place INTEGER, token INTEGER, PRIMARY KEY (job, place))",
    "CREATE TABLE fault_timelines (job_id BIGINT PRIMARY KEY, since VARCHAR(40), until_ VARCHAR(40))",
    "CREATE TABLE fault_groups (id BIGINT PRIMARY KEY, limit_ INTEGER)",
)

#: The values of a lease when it was deleted.
LEASES = {
    "postgresql": (
        "CREATE TABLE fault_leases (run_id UUID, expires_at TIMESTAMPTZ, gone_at TIMESTAMPTZ)",
        """CREATE FUNCTION fault_lease_gone() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           INSERT INTO fault_leases VALUES (OLD.run_id, OLD.expires_at, clock_timestamp()); RETURN OLD; END $$""",
        """CREATE TRIGGER fault_lease_gone BEFORE DELETE ON chroniker_lease
           FOR EACH ROW EXECUTE FUNCTION fault_lease_gone()""",
    ),
    "mysql": (
        "CREATE TABLE fault_leases (run_id VARCHAR(36), expires_at DATETIME(6), gone_at DATETIME(6))",
        """CREATE TRIGGER fault_lease_gone BEFORE DELETE ON chroniker_lease FOR EACH ROW
           INSERT INTO fault_leases VALUES (OLD.run_id, OLD.expires_at, UTC_TIMESTAMP(6))""",
    ),
    "sqlite": (
        "CREATE TABLE fault_leases (run_id TEXT, expires_at TEXT, gone_at TEXT)",
        """CREATE TRIGGER fault_lease_gone BEFORE DELETE ON chroniker_lease BEGIN
           INSERT INTO fault_leases VALUES (OLD.run_id, OLD.expires_at, strftime('%Y-%m-%d %H:%M:%f', 'now')); END""",
    ),
}


def create() -> None:
    with connection.cursor() as cursor:
        for statement in (*TABLES, *LEASES[connection.vendor]):
            cursor.execute(statement)


def start_timelines(jobs: Sequence[Job], groups: Iterable[Group]) -> None:
    """That these jobs' timelines have begun: after their rows were committed, so not a moment too early."""
    since = database_now().isoformat()
    with connection.cursor() as cursor:
        cursor.executemany("INSERT INTO fault_places VALUES (%s, 0)", [(job.name,) for job in jobs])
        cursor.executemany("INSERT INTO fault_timelines VALUES (%s, %s, '')", [(job.pk, since) for job in jobs])
        for group in groups:
            cursor.execute("INSERT INTO fault_groups VALUES (%s, %s)", [group.pk, group.limit])


def disable_jobs() -> None:
    """No further instants; until this very moment, or a little longer, each must be accounted for."""
    until = database_now().isoformat()
    Job.objects.update(enabled=False)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE fault_timelines SET until_ = %s", [until])


def query(statement: str) -> Sequence[Sequence[Any]]:
    """Plain SQL through the driver alone."""
    with connection.cursor() as cursor:
        cursor.execute(statement, [])
        rows: Sequence[Sequence[Any]] = cursor.fetchall()
        return rows
