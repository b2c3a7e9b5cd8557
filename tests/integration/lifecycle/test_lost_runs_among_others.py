"""The expiry of a run leaves the runs, leases and jobs alone that have nothing to do with it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any
from uuid import UUID

import pytest
from django.db import connection, transaction
from django.db.models import QuerySet
from django.db.models.signals import post_init

from chroniker import lifecycle
from chroniker.lifecycle import Outcome
from chroniker.models import EventKind, JobState, Lease, Run, RunEvent, Status
from chroniker.reasons import Code
from chroniker.scheduler.tick import expire_runs
from tests.integration.lifecycle.child_runs import a_parent_with_children, begin, end
from tests.integration.lifecycle.host_processes import Here
from tests.integration.lifecycle.steps import a_claimed_run, let_expire, reread
from tests.support.factories import started, state_of


def ids(runs: list[Run]) -> set[UUID]:
    return {run.pk for run in runs}


def leased() -> set[UUID]:
    return set(Lease.objects.values_list("pk", flat=True))


def a_closed_run_with_a_survivor() -> Run:
    """A run of this host whose job waits for a process that could not be killed."""
    run = a_claimed_run()
    assert lifecycle.finish(run.pk, run.token, started(run), Outcome(Status.FAILED, survivors=("sleep 60",)))
    return run


def test_a_kept_slot_is_not_judged_by_the_lock_file() -> None:
    """The keeper of the run has ended; its supervisor renews the lease while the process lives."""
    run = a_closed_run_with_a_survivor()
    here = Here(False, survivors=["sleep"])
    assert lifecycle.expire_runs(100, here) == []
    assert leased() == {run.pk}
    let_expire(run)
    assert lifecycle.expire_runs(100, here) == []
    assert (leased(), here.killed) == (set(), []), "nobody renews it: the supervisor has ended"


def test_a_kept_slot_outlasts_the_expiry_of_another_run() -> None:
    kept, expired, other = a_closed_run_with_a_survivor(), a_claimed_run(), a_claimed_run()
    let_expire(expired)
    assert ids(expire_runs()) == {expired.pk}
    assert leased() == {kept.pk, other.pk}


def test_the_expiry_of_a_kept_slot_leaves_the_leases_of_other_runs() -> None:
    kept, other = a_closed_run_with_a_survivor(), a_claimed_run()
    let_expire(kept)
    assert expire_runs() == []
    assert leased() == {other.pk}


@pytest.mark.usefixtures("live_hosts")
def test_a_dead_run_of_one_host_says_nothing_about_those_of_the_same_job_on_other_hosts() -> None:
    parent, (first, second, third) = a_parent_with_children()
    begin(first)
    begin(second)
    other = a_claimed_run()
    started(other, host="there")
    assert ids(lifecycle.expire_runs(100, Here(False, host="web1"))) == {first.pk}
    assert [reread(run).status for run in (parent, second, third, other)] == [
        Status.RUNNING, Status.RUNNING, Status.CLAIMED, Status.RUNNING
    ]  # fmt: skip
    assert leased() == {parent.pk, second.pk, third.pk, other.pk}


def test_each_lost_run_keeps_its_own_last_progress() -> None:
    runs = [a_claimed_run() for _each in range(3)]
    for done, run in enumerate(runs):
        assert lifecycle.renew(run.pk, run.token, started(run), (10, done)).held
        let_expire(run)
    assert ids(expire_runs()) == ids(runs)
    assert [reread(run).total_parts_complete for run in runs] == [0, 1, 2]


@pytest.mark.usefixtures("live_hosts")
def test_the_event_about_a_loss_is_that_of_the_lost_run_alone() -> None:
    """Of a run on every host the child is lost, and the parent fails."""
    _parent, (first, *others) = a_parent_with_children()
    begin(first)
    for child in others:
        end(child)
    assert not RunEvent.objects.filter(kind=EventKind.LOST).exists()
    let_expire(first)
    assert len(expire_runs()) == 2
    assert list(RunEvent.objects.filter(kind=EventKind.LOST).values_list("run", "code")) == [(first.pk, Code.LEASE)]


def test_a_claim_that_is_lost_is_recorded_and_not_dispatched_again() -> None:
    run = a_claimed_run()
    let_expire(run)
    expire_runs()
    assert (reread(run).code, reread(run).redispatch_at) == (Code.NOT_TAKEN, None)
    assert list(RunEvent.objects.values_list("run", "kind", "code")) == [(run.pk, EventKind.LOST, Code.NOT_TAKEN)]


def close_by_finish(run: Run) -> None:
    assert lifecycle.finish(run.pk, run.token, started(run), Outcome(Status.SUCCEEDED, survivors=("sleep 60",)))


def close_by_stop(run: Run) -> None:
    assert lifecycle.request_stop(run.pk, "ann")


def close_by_expiry(run: Run) -> None:
    let_expire(run)
    assert ids(expire_runs()) == {run.pk}


@pytest.mark.parametrize("close", [close_by_finish, close_by_stop, close_by_expiry])
def test_the_end_of_a_run_reads_and_locks_the_state_of_its_own_job_only(close: Callable[[Run], None]) -> None:
    run, other = a_claimed_run(), a_claimed_run()
    read = set()

    def record(instance: JobState, **_more: object) -> None:
        read.add(instance.pk)

    post_init.connect(record, sender=JobState)
    try:
        close(run)
    finally:
        post_init.disconnect(record, sender=JobState)
    assert read == {run.job_id}
    assert (reread(other).status, state_of(other.job).last_status) == (Status.CLAIMED, "")


LOCKED: dict[str, Callable[[Run], QuerySet[Any]]] = {
    "state": lambda run: JobState.objects.filter(pk=run.job_id),
    "run": lambda run: Run.objects.filter(pk=run.pk),
    "lease": lambda run: Lease.objects.filter(pk=run.pk),
}


@pytest.mark.database("postgres", "mariadb")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("row", LOCKED)
def test_a_run_with_a_locked_row_is_left_for_the_next_tick(row: str) -> None:
    run, other = a_claimed_run(), a_claimed_run()
    for each in (run, other):
        started(each)
        let_expire(each)

    def expire() -> set[UUID]:
        with closing(connection):
            return ids(expire_runs())

    with ThreadPoolExecutor(1) as expiring, transaction.atomic():
        list(LOCKED[row](run).select_for_update())
        assert expiring.submit(expire).result(timeout=60) == {other.pk}
    assert ids(expire_runs()) == {run.pk}
