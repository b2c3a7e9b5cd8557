"""For which scheduled times a run is: of the schedule, of a retry, by hand."""

from __future__ import annotations

import datetime as dt

import pytest

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.lifecycle import Outcome, claim_plan
from chroniker.models import Job, JobState, Run, Status, Trigger
from chroniker.schedule import Frequency, jitter
from chroniker.scheduler.manual_runs import run_now
from chroniker.scheduler.tick import tick
from tests.integration.lifecycle.steps import claimed, ended, reread
from tests.support.factories import a_booked_job, a_due_job, started, state_of

SECOND, MINUTE = dt.timedelta(seconds=1), dt.timedelta(minutes=1)


def retried(run: Run, status: Status = Status.FAILED) -> Run:
    """The next attempt after ``run`` has ended with this status."""
    ended(run, status)
    return claimed(run.job)


def test_a_scheduled_run_is_for_the_instants_that_it_covers() -> None:
    job = a_due_job(minutes=3)
    run = reread(claimed(job))
    assert (run.instant, run.instant_until) == (run.scheduled_for, run.covered_until)
    assert state_of(job).last_instant == run.covered_until


def test_a_job_with_jitter_is_due_after_its_scheduled_time() -> None:
    job = a_booked_job(jitter_seconds=3600)
    state = state_of(job)
    assert state.next_instant is not None
    assert state.next_run == state.next_instant + jitter(job.pk, 3600)


def test_scheduled_times_that_are_skipped_have_no_attempt_and_no_dispatch() -> None:
    job = a_due_job(minutes=10, misfire_grace_seconds=1)
    tick()
    skipped = Run.objects.get(job=job, status=Status.SKIPPED)
    assert (skipped.attempt, skipped.chain, skipped.argv) == (0, None, None)
    assert (skipped.dispatch_count, skipped.dispatched_at) == (0, None)


def test_the_interval_of_the_first_run_begins_at_the_scheduled_time_before_it() -> None:
    """Which no claim has covered: the job was saved after it."""
    run = reread(claimed(a_due_job(minutes=6)))
    assert run.instant is not None and run.instant_until is not None
    assert run.interval_start == run.instant - MINUTE
    assert run.instant_until - run.instant >= 5 * MINUTE


def test_the_first_run_of_a_job_that_runs_once_has_no_interval() -> None:
    run_at = database_now() - MINUTE
    job = a_booked_job(frequency=Frequency.ONCE, cron="", run_at=run_at)
    assert reread(claimed(job)).interval_start is None


def test_a_retry_is_for_the_old_scheduled_time_after_an_edit_of_schedule_and_arguments() -> None:
    job = a_due_job(minutes=3, command="takes", args="--old", max_retries=1, retry_backoff_seconds=0)
    first = reread(claimed(job))
    Job.objects.filter(pk=job.pk).update(args="--new")
    job.refresh_from_db()
    job.cron = "0 0 1 1 *"
    job.save()
    again = reread(retried(first))
    assert (again.trigger, again.origin) == (Trigger.RETRY, Trigger.SCHEDULE)
    for name in ("instant", "instant_until", "interval_start"):
        assert getattr(again, name) == getattr(first, name), name
    assert (first.argv, again.argv) == (["takes", "--old"], ["takes", "--new"])


def test_a_run_by_hand_is_for_the_scheduled_time_that_was_requested() -> None:
    job = a_booked_job(cron="0 3 * * *")
    asked = dt.datetime(2026, 3, 29, 3, tzinfo=dt.UTC)
    run = reread(run_now(job, requested_by="ann", instant=asked))
    assert (run.instant, run.instant_until, run.scheduled_for) == (asked, asked, None)
    assert run.interval_start == asked - dt.timedelta(days=1)


def test_a_requested_time_needs_a_time_zone() -> None:
    job = a_booked_job(cron="0 3 * * *")
    with pytest.raises(ValueError, match="2026-03-29 03:00:00 has no time zone"):
        run_now(job, requested_by="ann", instant=dt.datetime(2026, 3, 29, 3))
    assert not Run.objects.filter(job=job).exists()


def test_a_requested_time_for_a_schedule_that_is_not_valid_has_no_interval() -> None:
    job = a_booked_job(cron="0 3 * * *")
    Job.objects.filter(pk=job.pk).update(cron="no cron")
    assert reread(run_now(job, requested_by="ann", instant=database_now())).interval_start is None


def test_the_interval_of_a_run_begins_at_the_last_instant_of_the_claim_before_it() -> None:
    """Although the schedule was edited in between: the plan does not compute it from the schedule as it is now."""
    job = a_due_job(minutes=3)
    first = claimed(job)
    lifecycle.finish(first.pk, first.token, started(first), Outcome(Status.SUCCEEDED))
    Job.objects.filter(pk=job.pk).update(cron="* * * * * *", edited_at=database_now() - SECOND)
    # A minute later, since no second may have begun after the instants that the first run covers.
    second = reread(claimed(job, now=database_now() + MINUTE))
    assert second.interval_start == first.covered_until


def test_a_run_by_hand_is_for_the_moment_of_its_request_and_names_who_requested_it() -> None:
    run = reread(run_now(a_booked_job(cron="0 0 1 1 *"), requested_by="ann" + "n" * 200))
    assert run.instant is not None
    assert (run.instant_until, run.origin) == (run.instant, Trigger.MANUAL)
    assert run.instant <= run.claimed_at
    assert run.asked_by == ("ann" + "n" * 200)[:150]


def test_a_run_by_hand_is_for_its_moment_to_the_microsecond() -> None:
    """Cut to seconds it might equal a scheduled time, which then seems to have been done."""
    now = dt.datetime(2026, 3, 29, 3, 0, 0, 1, tzinfo=dt.UTC)
    [run] = claim_plan.plan_manual_run(state_of(a_booked_job(cron="0 3 * * *")), now).runs
    assert (run.instant, run.instant_until) == (now, now)


def test_a_retry_belongs_to_the_chain_and_is_for_the_instants_of_the_first_attempt() -> None:
    job = a_due_job(minutes=2, cron="* * * * *", max_retries=2, retry_backoff_seconds=0)
    first = claimed(job)
    Job.objects.filter(pk=job.pk).update(args="--changed")
    second = retried(first)
    third = reread(retried(second))
    assert (third.trigger, third.origin, third.chain) == (Trigger.RETRY, Trigger.SCHEDULE, first.token)
    assert (third.instant, third.instant_until) == (first.scheduled_for, first.covered_until)
    assert third.argv == ["noop", "--changed"]


def test_a_retry_after_a_run_by_hand_still_belongs_to_its_own_chain() -> None:
    job = a_due_job(cron="0 0 1 1 *", minutes=600_000, max_retries=1, retry_backoff_seconds=3600)
    first = claimed(job)
    assert lifecycle.finish(first.pk, first.token, started(first), Outcome(Status.FAILED))
    other = run_now(job, requested_by="ann", args="--verbosity 2")
    assert lifecycle.finish(other.pk, other.token, started(other), Outcome(Status.SUCCEEDED))
    JobState.objects.filter(pk=job.pk).update(retry_at=database_now())
    again = reread(claimed(job))
    assert (again.chain, again.origin, again.args) == (first.token, Trigger.SCHEDULE, None)
    assert (again.instant, again.instant_until) == (first.scheduled_for, first.covered_until)


def test_a_retry_of_a_deleted_attempt_belongs_to_the_chain_and_has_no_instant() -> None:
    """Retention keeps that attempt; a project may delete it all the same."""
    first = claimed(a_due_job(max_retries=1, retry_backoff_seconds=0))
    assert lifecycle.finish(first.pk, first.token, started(first), Outcome(Status.FAILED))
    Run.objects.filter(pk=first.pk).delete()
    again = reread(claimed(first.job))
    assert (again.trigger, again.chain, again.origin, again.attempt) == (Trigger.RETRY, first.token, "SCHEDULE", 2)
    assert (again.instant, again.depth) == (None, 0)
