"""The statements of a supervisor are limited, and the database sessions stay as they were."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from django.db import DatabaseError, connection, connections, transaction

from chroniker.executors import report_connections
from chroniker.executors.database_report import DatabaseReport
from chroniker.executors.statement_limit import limit_statement_time
from chroniker.models import Status
from tests.support.command_jobs import a_job_of_new_year, stdout_of, the_run
from tests.support.manage import Manage
from tests.support.servers import HOST, PgBouncerServer

pytestmark = pytest.mark.django_db(transaction=True)

SLEEP = {"postgresql": "SELECT pg_sleep(20)", "mysql": "SELECT SLEEP(20) FROM (SELECT 1 UNION SELECT 2) AS rows_"}
LIMITS = {
    "postgresql": "SELECT current_setting('statement_timeout')",
    "mysql": "SELECT @@max_statement_time, @@innodb_lock_wait_timeout, @@lock_wait_timeout",
}


def limits() -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(LIMITS[connection.vendor])
        return list(cursor.fetchall())


def sleep() -> None:
    with connection.cursor() as cursor:
        cursor.execute(SLEEP[connection.vendor])
        cursor.fetchall()


@pytest.mark.parametrize("in_transaction", [True, False])
def test_a_slow_statement_is_cancelled_and_session_settings_are_restored(in_transaction: bool) -> None:
    if connection.vendor not in SLEEP:  # SQLite has no server that could hang
        return
    before = limits()
    with pytest.raises(DatabaseError), limit_statement_time("default", 0.3):
        if in_transaction:
            with transaction.atomic():
                sleep()
        else:
            sleep()
    assert limits() == before


def test_each_transaction_has_a_time_limit() -> None:
    if connection.vendor not in SLEEP:
        return
    before = limits()
    with limit_statement_time("default", 0.3):
        for _ in range(2):
            with pytest.raises(DatabaseError), transaction.atomic():
                limits()
                sleep()
    assert limits() == before


def test_a_transaction_of_the_caller_keeps_its_own_limits() -> None:
    if connection.vendor not in LIMITS:
        return
    with transaction.atomic():
        before = limits()
        with limit_statement_time("default", 0.3):
            assert limits() == before


def busy_timeout() -> int:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout")
        return int(cursor.fetchone()[0])


def test_sqlite_waits_as_long_on_a_connection_that_was_opened_again(tmp_path: Path) -> None:
    if connection.vendor != "sqlite":
        return
    own, other = connections["default"], connections.create_connection("default")
    other.settings_dict = {**other.settings_dict, "NAME": str(tmp_path / "other.sqlite3")}
    connections["default"] = other
    try:
        for _opened in range(3):
            with limit_statement_time("default", 7.0):
                assert busy_timeout() == 7000
            other.close()
            other.connect()
    finally:
        other.close()
        connections["default"] = own


@pytest.fixture
def bouncer() -> Iterator[PgBouncerServer | None]:
    """PgBouncer before the test database, with a single session; None for other databases."""
    if connection.vendor != "postgresql":
        yield None
        return
    if not PgBouncerServer.available():
        pytest.skip("pgbouncer is not installed here")
    with PgBouncerServer(int(connection.settings_dict["PORT"]), pool_size=1) as server:
        yield server


def test_behind_pgbouncer_a_run_leaves_no_time_limit_on_the_shared_session(
    manage: Manage, bouncer: PgBouncerServer | None
) -> None:
    if bouncer is None:
        return
    import psycopg

    manage = Manage({**manage.env, "CHRONIKER_TEST_DB_PORT": str(bouncer.port)}, manage.directory)
    job = a_job_of_new_year(name="pooled", command="chatty", args="--lines 5 --no-stderr")
    done = manage("run_job", "pooled")
    assert (done.returncode, the_run(job).status) == (0, Status.SUCCEEDED), done.stderr
    assert stdout_of(the_run(job)) in done.stdout
    name = connection.settings_dict["NAME"]
    with psycopg.connect(host=HOST, port=bouncer.port, user=bouncer.user, dbname=name) as other:
        [limit] = other.execute("SHOW statement_timeout").fetchone() or [None]
    assert limit == "0"


def test_behind_pgbouncer_ticks_claim_and_execute(manage: Manage, bouncer: PgBouncerServer | None) -> None:
    if bouncer is None:
        return
    manage = Manage({**manage.env, "CHRONIKER_TEST_DB_PORT": str(bouncer.port)}, manage.directory)
    jobs = [a_job_of_new_year(name=f"job {number}", command="noop", force_run=True) for number in range(4)]
    done = manage("cron")
    assert done.returncode == 0, done.stderr
    assert {the_run(job).status for job in jobs} == {Status.SUCCEEDED}


@pytest.mark.parametrize("pool", [True, False])
def test_a_pooled_connection_is_returned_after_each_report(pool: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    report = DatabaseReport(uuid4(), 1)
    connection.ensure_connection()
    assert report.start(1) is None, "there is no such run"
    monkeypatch.setattr(report_connections, "is_pooled", lambda connection: pool)
    assert connection.connection is not None
    assert report.store_output([]) is False
    assert (connection.connection is None) is pool
