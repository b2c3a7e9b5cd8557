"""Runs are lost when their lease expires, unless this host knows better."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.models import EventKind, Lease, Run, RunEvent, Status, Trigger
from chroniker.scheduler.tick import expire_runs, tick
from tests.integration.lifecycle.host_processes import Here
from tests.integration.lifecycle.steps import a_claimed_run, let_expire, reread
from tests.support.factories import started, state_of

SECOND = dt.timedelta(seconds=1)


def test_a_run_whose_lease_expired_is_lost_and_its_job_can_start_again() -> None:
    run = a_claimed_run()
    nonce = started(run)
    lifecycle.renew(run.pk, run.token, nonce, (10, 4))
    let_expire(run)
    assert [lost.pk for lost in expire_runs()] == [run.pk]
    run.refresh_from_db()
    assert (run.status, run.total_parts_complete) == (Status.LOST, 4)
    assert "Lost contact" in run.reason
    assert state_of(run.job).retry_at is None
    assert len(tick(now=database_now() + dt.timedelta(minutes=2)).claimed) == 1


def test_a_lease_does_not_expire_before_the_drift_allowance_has_passed() -> None:
    run = a_claimed_run()
    started(run)
    Lease.objects.filter(pk=run.pk).update(expires_at=database_now() - SECOND)
    assert expire_runs() == []
    Lease.objects.filter(pk=run.pk).update(expires_at=database_now() - 3 * SECOND)
    assert len(expire_runs()) == 1


def test_a_claim_that_is_not_started_before_its_start_deadline_is_lost() -> None:
    run, *others = (a_claimed_run(start_deadline_seconds=60) for _each in range(3))
    started(others[0])
    assert Lease.objects.get(pk=run.pk).expires_at - run.claimed_at == 60 * SECOND
    let_expire(run)
    expire_runs()
    run.refresh_from_db()
    assert run.status == Status.LOST
    assert "start deadline" in run.reason
    kept = {(other.status, other.code) for other in map(reread, others)}
    assert kept == {(Status.RUNNING, ""), (Status.CLAIMED, "")}


@pytest.mark.parametrize("has_lock_files", [True, False])
def test_remaining_processes_of_a_local_run_are_killed_before_it_is_lost(has_lock_files: bool) -> None:
    run, other = a_claimed_run(), a_claimed_run()
    started(run, host="here")
    started(other, host="there")
    let_expire(run)
    let_expire(other)
    here = Here(False, survivors=["sleep"], has_lock_files=has_lock_files)
    assert [lost.pk for lost in lifecycle.expire_runs(100, here)] == [other.pk], (
        "a run with living processes stays open"
    )
    here.survivors = []
    assert [lost.pk for lost in lifecycle.expire_runs(100, here)] == [run.pk]
    assert set(here.killed) == {run.pk}


def test_processes_of_a_run_whose_lease_is_valid_are_not_killed() -> None:
    run, other = a_claimed_run(), a_claimed_run()
    started(run, host="here")
    started(other, host="here")
    let_expire(run)
    here = Here(False, has_lock_files=False)
    assert [lost.pk for lost in lifecycle.expire_runs(100, here)] == [run.pk]
    assert here.killed == [run.pk]


def test_a_process_with_a_live_keeper_is_not_killed() -> None:
    run = a_claimed_run()
    started(run, host="here")
    let_expire(run)
    here = Here(True, has_lock_files=False)
    assert len(lifecycle.expire_runs(100, here)) == 1
    assert here.killed == []


@pytest.mark.parametrize("held", [True, False])
def test_a_run_with_a_lock_file_is_judged_by_the_lock_and_not_by_the_lease(held: bool) -> None:
    run = a_claimed_run()
    started(run, host="here")
    if held:
        let_expire(run)
    lost = lifecycle.expire_runs(100, Here(held))
    assert len(lost) == (0 if held else 1)


def test_without_its_lock_file_a_run_is_judged_by_its_lease() -> None:
    run = a_claimed_run()
    started(run, host="here")
    assert lifecycle.expire_runs(100, Here(None)) == []
    let_expire(run)
    assert len(lifecycle.expire_runs(100, Here(None))) == 1


def test_runs_of_another_host_are_judged_by_their_lease() -> None:
    run = a_claimed_run()
    started(run, host="there")
    assert lifecycle.expire_runs(100, Here(False)) == []
    let_expire(run)
    assert len(lifecycle.expire_runs(100, Here(True))) == 1


@pytest.mark.database("sqlite")
def test_the_runs_of_a_host_with_lock_files_are_not_searched_in_its_history() -> None:
    """With statistics of many hosts, SQLite would search by the host: all its past runs, in each tick."""
    run = a_claimed_run()
    started(run, host="here")
    closed = {"job": run.job, "status": Status.SUCCEEDED, "trigger": Trigger.MANUAL, "finished_at": run.claimed_at}
    hosts = ("here", *(f"host {n}" for n in range(9)))
    Run.objects.bulk_create(
        Run(token=run.token + n, host=hosts[n % 10], claimed_at=run.claimed_at - n * SECOND, **closed)
        for n in range(1, 1500)
    )
    with connection.cursor() as cursor, CaptureQueriesContext(connection) as captured:
        cursor.execute("ANALYZE")
        assert lifecycle.expire_runs(100, Here(True)) == []
        searched = [each["sql"] for each in captured if 'FROM "chroniker_run"' in each["sql"]]
        assert len(searched) == 1
        cursor.execute(f"EXPLAIN QUERY PLAN {searched[0]}")
        plan = [row[-1] for row in cursor.fetchall()]
    assert plan[0].endswith("(id=?)"), plan


def test_a_run_lost_after_its_start_has_an_event_about_incomplete_output() -> None:
    """A worker records output that it could not store; a killed worker records nothing."""
    run = a_claimed_run()
    started(run)
    let_expire(run)
    assert [lost.pk for lost in expire_runs()] == [run.pk]
    (event,) = RunEvent.objects.filter(run=run, kind=EventKind.NOTE)
    assert event.description.startswith("The end of the output may be missing")


def test_a_run_lost_before_its_start_has_no_event_about_incomplete_output() -> None:
    run = a_claimed_run()
    let_expire(run)
    assert [lost.pk for lost in expire_runs()] == [run.pk]
    assert not RunEvent.objects.filter(run=run, kind=EventKind.NOTE).exists()
