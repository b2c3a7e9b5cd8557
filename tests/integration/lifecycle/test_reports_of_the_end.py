"""Whose report ends a run or releases its slot, and what is written with the end."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from uuid import UUID, uuid4

import pytest
from django.db import connection, transaction

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.lifecycle import Outcome
from chroniker.models import JobState, Lease, Run, Status
from chroniker.reasons import Code
from tests.integration.lifecycle.steps import a_claimed_run, reread
from tests.support.factories import started, state_of

SECOND = dt.timedelta(seconds=1)
SURVIVED = Outcome(Status.FAILED, survivors=("sleep 60",))


def two_started_runs() -> tuple[Run, UUID, Run, UUID]:
    """Runs of two jobs, with the same token. Each with its nonce."""
    first, second = a_claimed_run(), a_claimed_run()
    assert first.token == second.token
    return first, started(first), second, started(second)


def test_a_report_ends_the_run_only_with_its_id_its_token_and_its_nonce() -> None:
    run, nonce, other, _other_nonce = two_started_runs()
    for run_id, token in ((run.pk, run.token + 1), (other.pk, run.token)):
        for outcome in (Outcome(Status.SUCCEEDED), SURVIVED):
            assert not lifecycle.finish(run_id, token, nonce, outcome)
    assert {reread(each).status for each in (run, other)} == {Status.RUNNING}
    assert lifecycle.finish(run.pk, run.token, nonce, Outcome(Status.SUCCEEDED))
    assert reread(other).status == Status.RUNNING


def test_a_report_about_a_run_that_was_deleted_is_refused() -> None:
    assert not lifecycle.finish(uuid4(), 1, uuid4(), Outcome(Status.SUCCEEDED))
    assert not lifecycle.finish(uuid4(), 1, uuid4(), SURVIVED)


def test_a_kept_slot_is_released_only_with_the_id_the_token_and_the_nonce_of_its_run() -> None:
    run, nonce, other, other_nonce = two_started_runs()
    assert lifecycle.finish(run.pk, run.token, nonce, SURVIVED)
    assert lifecycle.finish(other.pk, other.token, other_nonce, SURVIVED)
    lifecycle.release_kept_lease(other.pk, run.token, nonce)
    lifecycle.release_kept_lease(run.pk, run.token + 1, nonce)
    assert Lease.objects.count() == 2
    lifecycle.release_kept_lease(run.pk, run.token, nonce)
    assert Lease.objects.get().run_id == other.pk


def test_a_slot_is_kept_for_one_lease_from_the_report_on() -> None:
    run, nonce, other, _other_nonce = two_started_runs()
    soon = database_now() + 5 * SECOND
    Lease.objects.update(expires_at=soon)
    assert lifecycle.finish(run.pk, run.token, nonce, SURVIVED)
    assert 50 * SECOND < Lease.objects.get(pk=run.pk).expires_at - database_now() <= 60 * SECOND
    assert Lease.objects.get(pk=other.pk).expires_at == soon


def test_the_back_off_of_a_retry_begins_at_the_end_of_the_run() -> None:
    run = a_claimed_run(max_retries=1, retry_backoff_seconds=100)
    assert lifecycle.finish(run.pk, run.token, started(run), Outcome(Status.FAILED))
    finished_at = reread(run).finished_at
    assert finished_at is not None
    assert state_of(run.job).retry_at == finished_at + 100 * SECOND


def test_a_run_that_was_stopped_before_its_start_says_so_and_is_not_dispatched_again() -> None:
    run, other = a_claimed_run(), a_claimed_run()
    assert lifecycle.request_stop(run.pk, "ann")
    stopped = reread(run)
    assert (stopped.code, stopped.redispatch_at, stopped.started_at) == (Code.STOPPED_EARLY, None, None)
    assert stopped.finished_at is not None
    assert Lease.objects.get().run_id == other.pk


def finish(run: Run, outcome: Outcome) -> bool:
    return lifecycle.finish(run.pk, run.token, started(run), outcome)


@pytest.mark.database("postgres", "mariadb")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "end",
    [
        lambda run: finish(run, Outcome(Status.SUCCEEDED)),
        lambda run: finish(run, SURVIVED),
        lambda run: lifecycle.request_stop(run.pk, "ann"),
    ],
    ids=["report", "report with survivors", "stop"],
)
def test_the_end_of_a_run_waits_for_no_lock_of_another_job(end: Callable[[Run], bool]) -> None:
    run, other = a_claimed_run(), a_claimed_run()

    def end_in_its_own_connection() -> bool:
        with closing(connection):
            return end(run)

    with ThreadPoolExecutor(1) as ending, transaction.atomic():
        list(JobState.objects.select_for_update().filter(pk=other.job_id))
        list(Run.objects.select_for_update().filter(pk=other.pk))
        assert ending.submit(end_in_its_own_connection).result(timeout=60)
    assert reread(run).finished_at is not None
