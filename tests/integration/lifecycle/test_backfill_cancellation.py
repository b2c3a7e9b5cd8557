"""Backfills that are cancelled or deleted."""

from __future__ import annotations

import uuid

import pytest

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.models import Backfill, BackfillFailurePolicy, JobState, Status
from chroniker.scheduler.tick import tick
from tests.integration.lifecycle.backfills import a_backfill, daily, planned, tick_until_ended
from tests.integration.lifecycle.steps import claimed, ended
from tests.support.factories import state_of

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_cancelled_backfill_claims_nothing_more_and_its_open_run_continues() -> None:
    job = daily(3)
    row = a_backfill(job)
    run = claimed()
    assert lifecycle.cancel_backfill(row.pk, "ann")
    assert not lifecycle.cancel_backfill(row.pk, "ann")
    assert ended(run).status == Status.SUCCEEDED
    assert tick().claimed == []
    row.refresh_from_db()
    assert (row.succeeded, row.cancelled_by, row.made) == (1, "ann", 1)


def test_who_cancelled_a_backfill_is_recorded_in_at_most_150_characters() -> None:
    other, row = (a_backfill(job) for job in [daily(1), daily(1)])
    assert lifecycle.cancel_backfill(row.pk, "a" * 151)
    row.refresh_from_db()
    other.refresh_from_db()
    assert [state_of(each.job).backfill_at is None for each in (other, row)] == [False, True]
    assert (row.cancelled_by, row.is_open) == ("a" * 150, False)
    assert (other.cancelled_by, other.is_open) == ("", True)


def test_the_cancellation_of_one_that_has_ended_or_was_deleted_changes_nothing() -> None:
    job = daily(1)
    old = a_backfill(job)
    while tick_until_ended(old):
        pass
    new = a_backfill(job, which="ALL")
    assert not lifecycle.cancel_backfill(old.pk, "ann")
    assert not lifecycle.cancel_backfill(uuid.uuid4(), "ann")
    new.refresh_from_db()
    assert new.is_open


def test_a_claim_that_was_planned_before_the_cancellation_is_not_written() -> None:
    job = daily(2)
    row = a_backfill(job)
    plans = planned()
    lifecycle.cancel_backfill(row.pk, "ann")
    assert lifecycle.claim(plans, database_now()) == []
    JobState.objects.filter(pk=job.pk).update(revision=plans[0].state.revision)
    assert lifecycle.claim(plans, database_now()) == [], "the backfill is read again"


def test_after_a_cancellation_the_end_of_the_open_run_leaves_the_next_backfill_alone() -> None:
    job = daily(2)
    old = a_backfill(job, on_failure=BackfillFailurePolicy.STOP)
    run = claimed()
    lifecycle.cancel_backfill(old.pk, "ann")
    new = a_backfill(job)
    ended(run, Status.FAILED)
    for _each in range(4):
        tick_until_ended(new)
    assert new.succeeded == 2


def test_a_backfill_that_was_deleted_meanwhile_does_not_stop_the_tick() -> None:
    lifecycle.fail_backfill(uuid.uuid4(), "ValueError: no such day")


def test_the_backfills_of_a_deleted_job_go_with_it() -> None:
    job, other = daily(2), daily(2)
    a_backfill(job)
    kept = a_backfill(other)
    job.delete()
    assert list(Backfill.objects.all()) == [kept]
    assert claimed().backfill == kept.pk
