from __future__ import annotations

import datetime as dt
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import UUID

import pytest
from django.db import connection, connections

import chroniker
from chroniker import lifecycle
from chroniker.clock.database_clock import NowPlus, database_now
from chroniker.exceptions import LeaseLost
from chroniker.lifecycle import claim_plan
from chroniker.models import OPEN_STATUSES, Job, JobState, Lease, LogChunk, Run, RunEvent, Status
from chroniker.scheduler.tick import expire_runs, tick
from tests.faults.conftest import LEASE
from tests.support.factories import a_booked_job
from tests.support.processes import ManagementCommand, wait_until
from tests.testapp import witnessing

pytestmark = pytest.mark.django_db(transaction=True)

Start = Callable[..., ManagementCommand]

SLOW_INSERTS = {
    "postgresql": [
        """CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS
           $$ BEGIN PERFORM pg_sleep(1.5); RETURN NULL; END $$""",
        "CREATE TRIGGER dawdle AFTER INSERT ON chroniker_logchunk FOR EACH STATEMENT EXECUTE FUNCTION dawdle()",
    ],
    "mysql": ["CREATE TRIGGER dawdle BEFORE INSERT ON chroniker_logchunk FOR EACH ROW DO SLEEP(1.5)"],
}
QUICK_AGAIN = {
    "postgresql": ["DROP TRIGGER dawdle ON chroniker_logchunk", "DROP FUNCTION dawdle()"],
    "mysql": ["DROP TRIGGER dawdle"],
}


@pytest.fixture
def slow_inserts_of_output() -> Iterator[None]:
    execute(SLOW_INSERTS[connection.vendor])
    yield
    execute(QUICK_AGAIN[connection.vendor])


def execute(statements: list[str]) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def a_run(command: str, args: str) -> Job:
    job = a_booked_job(cron="0 3 1 1 *", command=command, args=args)
    Job.objects.filter(pk=job.pk).update(force_run=True)
    return job


def ended(job: Job) -> Run | None:
    tick(only=[])
    return Run.objects.filter(job=job).exclude(status__in=OPEN_STATUSES).first()


@pytest.mark.database("postgres", "mariadb")
def test_renewals_go_on_while_every_insert_of_output_is_slow(start: Start, slow_inserts_of_output: None) -> None:
    job = a_run("chatty", f"--lines 60 --every {2 * LEASE / 60}")
    start("cronserver", "0.5", CHRONIKER_HEARTBEAT_MISSES=3)
    run = wait_until(lambda: ended(job), what="ended")
    assert run is not None and run.status == Status.SUCCEEDED
    assert LogChunk.objects.filter(run=run).exists()
    assert not RunEvent.objects.filter(run=run).exclude(kind="NOTE").exists()


@pytest.mark.database("postgres", "mariadb")
def test_an_outcome_that_goes_before_its_output_says_so_even_if_its_supervisor_dies_then(
    start: Start, slow_inserts_of_output: None
) -> None:
    job = a_run("chatty", "--lines 3000 --every 0.01 --no-stderr")
    Job.objects.filter(pk=job.pk).update(timeout_seconds=4)
    server = start("cronserver", "0.5")
    run = wait_until(lambda: ended(job), what="ended")
    server.kill()
    assert run is not None and run.status == Status.TIMED_OUT
    event = RunEvent.objects.get(run=run, code="OUTPUT_UNSTORED")
    assert "before the end of the output was stored (characters: " in event.description


def test_a_fence_held_for_half_a_lease_harms_nobody(start: Start, tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    job = a_run("fence_hold", f"{witness} fenced --before {LEASE} --seconds {LEASE / 2}")
    start("cronserver", "0.5")
    run = wait_until(lambda: ended(job), what="ended")
    assert run is not None and run.status == Status.SUCCEEDED
    assert len(witnessing.ended(witness)) == 1


@pytest.fixture
def running(settings_of_all: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> Run:
    """A run that this very process executes, as its environment says."""
    job = a_booked_job(cron="0 3 1 1 *")
    state = JobState.objects.select_related("job").get(pk=job.pk)
    (run,) = lifecycle.claim([claim_plan.plan_manual_run(state, database_now())], database_now())
    assert lifecycle.start(run.pk, run.token, UUID(int=7), host="here", pid=os.getpid())
    monkeypatch.setenv("CHRONIKER_RUN_ID", str(run.pk))
    monkeypatch.setenv("CHRONIKER_RUN_TOKEN", str(run.token))
    return run


def let_expire(run: Run) -> None:
    Lease.objects.filter(pk=run.pk).update(expires_at=NowPlus(-dt.timedelta(minutes=5)))


def test_a_fence_without_a_lease_writes_nothing(running: Run) -> None:
    let_expire(running)
    assert expire_runs()
    with pytest.raises(LeaseLost), chroniker.fence():
        Job.objects.update(enabled=False)
    assert Job.objects.get().enabled


@pytest.mark.database("postgres", "mariadb")
def test_nobody_can_call_a_run_lost_while_its_fence_is_held(running: Run) -> None:
    inside, leave = threading.Event(), threading.Event()

    def hold() -> None:
        try:
            with chroniker.fence():
                inside.set()
                leave.wait(30)
        finally:
            connections.close_all()

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        assert inside.wait(30)
        let_expire(running)
        assert expire_runs() == []
    finally:
        leave.set()
        holder.join()
    assert [run.pk for run in expire_runs()] == [running.pk]


def test_outside_a_run_a_fence_is_a_transaction(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHRONIKER_RUN_ID", raising=False)
    job = a_booked_job()
    with pytest.raises(ZeroDivisionError), chroniker.fence():
        Job.objects.filter(pk=job.pk).update(name="never committed")
        raise ZeroDivisionError
    assert not Job.objects.filter(name="never committed").exists()
