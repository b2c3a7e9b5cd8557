"""The fence at each isolation level that a project can set."""

from __future__ import annotations

import datetime as dt
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, connections, transaction

from chroniker import fence
from chroniker.clock.database_clock import database_now
from chroniker.exceptions import LeaseLost
from chroniker.models import Job, Lease, Run, Status
from chroniker.scheduler.tick import expire_runs, tick
from tests.support.factories import a_due_job, started

pytestmark = pytest.mark.django_db(transaction=True)

LEVELS = ("READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    a_due_job()
    (claimed,) = tick().claimed
    started(claimed)
    monkeypatch.setenv("CHRONIKER_RUN_ID", str(claimed.pk))
    monkeypatch.setenv("CHRONIKER_RUN_TOKEN", str(claimed.token))
    return claimed


def lose(run: Run) -> None:
    """A tick of another process closes the run as lost."""
    try:
        Lease.objects.filter(pk=run.pk).update(expires_at=database_now() - dt.timedelta(minutes=10))
        assert [lost.pk for lost in expire_runs()] == [run.pk]
    finally:
        connections.close_all()


def begin(level: str) -> None:
    """Set the isolation level of the next transaction (MariaDB) or of this one (PostgreSQL)."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET TRANSACTION ISOLATION LEVEL {level}")


@pytest.mark.database("postgres", "mariadb")
@pytest.mark.parametrize("level", LEVELS)
def test_a_run_lost_after_the_transaction_began_cannot_enter_the_fence(run: Run, level: str) -> None:
    if connection.vendor == "mysql":
        begin(level)
    with pytest.raises(LeaseLost), transaction.atomic():
        if connection.vendor == "postgresql":
            begin(level)
        assert Job.objects.count() == 1  # the snapshot of this transaction is taken
        with ThreadPoolExecutor(1) as other:
            other.submit(lose, run).result()
        with fence():
            pytest.fail("entered without the lease")


@pytest.mark.database("postgres", "mariadb")
@pytest.mark.parametrize("level", LEVELS)
def test_a_run_that_holds_its_lease_enters_the_fence(run: Run, level: str) -> None:
    if connection.vendor == "mysql":
        begin(level)
    with transaction.atomic():
        if connection.vendor == "postgresql":
            begin(level)
        assert Run.objects.get(pk=run.pk).status == Status.RUNNING
        with fence():
            pass


def test_a_closed_run_cannot_enter_the_fence(run: Run) -> None:
    with ThreadPoolExecutor(1) as other:
        other.submit(lose, run).result()
    with pytest.raises(LeaseLost), fence():
        pytest.fail("entered without the lease")
