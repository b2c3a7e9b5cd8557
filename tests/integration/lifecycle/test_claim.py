from __future__ import annotations

import datetime as dt
import itertools

import pytest
from django.db import IntegrityError, transaction
from django.test import override_settings

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.eligibility import due
from chroniker.eligibility.claim_kinds import SCHEDULED
from chroniker.lifecycle import Outcome, claim_plan
from chroniker.models import Job, JobState, Lease, Run, Status, Trigger
from chroniker.schedule import next_instant_after
from chroniker.scheduler.manual_runs import run_now
from chroniker.scheduler.tick import tick
from tests.support.factories import LONG_AGO, a_booked_job, a_due_job, started, state_of
from tests.support.statements import statements_of_a_tick

MINUTE = dt.timedelta(minutes=1)


def test_a_claim_covers_all_missed_scheduled_times_and_books_the_next() -> None:
    job = a_due_job(minutes=5)
    first = state_of(job).next_instant
    (run,) = tick().claimed
    after = state_of(job)
    assert run.scheduled_for == first
    assert first is not None and run.covered_until is not None
    assert run.covered_until >= first + 5 * MINUTE
    assert (after.covered_until, after.next_instant) == (run.covered_until, run.covered_until + MINUTE)
    assert Lease.objects.get(run=run).token == run.token == after.last_token == 1


def test_a_job_with_an_open_run_is_not_claimed_again() -> None:
    job = a_due_job()
    assert len(tick().claimed) == 1
    JobState.objects.filter(pk=job.pk).update(next_run=database_now() - MINUTE)
    assert tick().claimed == []


def test_successive_claims_cover_the_timeline_without_gap_or_overlap() -> None:
    job = a_due_job(minutes=9)
    now = database_now()
    for minutes in (6, 4, 4, 0):
        (run,) = tick(now=now - minutes * MINUTE).claimed or (None,)
        if run is not None:
            lifecycle.finish(run.pk, run.token, started(run), Outcome(Status.SUCCEEDED))
    ranges = list(Run.objects.filter(job=job).order_by("token").values_list("scheduled_for", "covered_until"))
    assert len(ranges) == 3
    for (_first, until), (following, _until) in itertools.pairwise(ranges):
        assert until is not None and following == next_instant_after(job.spec, until)


def test_a_plan_made_before_a_concurrent_claim_writes_nothing() -> None:
    a_due_job()
    now = database_now()
    stale = [claim_plan.plan_scheduled_run(state, now) for state in due.find_due_jobs(SCHEDULED, now)]
    assert (
        len(
            lifecycle.claim(
                [claim_plan.plan_scheduled_run(state, now) for state in due.find_due_jobs(SCHEDULED, now)], now
            )
        )
        == 1
    )
    assert lifecycle.claim(stale, now) == []
    assert Run.objects.count() == 1


def test_saving_a_stale_job_does_not_undo_the_booking_of_a_claim() -> None:
    job = a_due_job()
    opened_before = Job.objects.get(pk=job.pk)
    tick()
    after = state_of(job)
    opened_before.save()
    tick()
    now = state_of(job)
    assert (now.next_instant, now.covered_until, now.last_token) == (
        after.next_instant,
        after.covered_until,
        after.last_token,
    )


def test_only_a_job_whose_schedule_raises_is_suspended() -> None:
    broken, sound = a_due_job(), a_due_job()
    Job.objects.filter(pk=broken.pk).update(cron="61 * * * *")
    Job.objects.filter(pk=broken.pk).update(edited_at=None)
    claimed = tick().claimed
    assert [run.job_id for run in claimed] == [sound.pk]
    assert "61" in state_of(broken).schedule_error
    assert state_of(broken).next_run is None
    assert tick().claimed == []


def test_an_edit_resumes_a_suspended_job() -> None:
    job = a_due_job()
    Job.objects.filter(pk=job.pk).update(cron="61 * * * *")
    tick()
    assert state_of(job).schedule_error
    job.refresh_from_db()
    job.cron = "* * * * *"
    job.save()
    tick()
    assert not state_of(job).schedule_error
    assert state_of(job).next_run is not None


def test_times_beyond_the_misfire_grace_are_skipped_and_the_rest_runs() -> None:
    job = a_due_job(minutes=10, misfire_grace_seconds=200)
    (run,) = tick().claimed
    skipped = Run.objects.get(job=job, status=Status.SKIPPED)
    assert (skipped.token, run.token) == (1, 2)
    assert "late" in skipped.reason
    assert skipped.covered_until is not None
    assert run.scheduled_for == skipped.covered_until + MINUTE
    assert database_now() - run.scheduled_for <= dt.timedelta(seconds=201)


def test_nothing_runs_when_all_times_are_beyond_the_misfire_grace() -> None:
    job = a_booked_job(since=database_now() - LONG_AGO, run_at=database_now() - LONG_AGO / 2, frequency="ONCE")
    Job.objects.filter(pk=job.pk).update(misfire_grace_seconds=60)
    assert tick().claimed == []
    assert Run.objects.get(job=job).status == Status.SKIPPED
    assert state_of(job).next_run is None


def test_jitter_delays_the_start_but_not_the_scheduled_times() -> None:
    job = a_booked_job(jitter_seconds=3600)
    state = state_of(job)
    assert state.next_instant is not None and state.next_run is not None
    assert state.next_instant.second == 0
    assert state.next_run - state.next_instant <= dt.timedelta(hours=1)
    assert tick(now=state.next_run - dt.timedelta(seconds=1)).claimed == []
    (run,) = tick(now=state.next_run).claimed
    assert run.scheduled_for == run.covered_until == state.next_instant


def test_overlap_wait_runs_once_for_all_times_during_the_previous_run() -> None:
    job = a_due_job()
    (run,) = tick().claimed
    nonce = started(run)
    later = database_now() + 5 * MINUTE
    assert tick(now=later).claimed == []
    lifecycle.finish(run.pk, run.token, nonce, Outcome(Status.SUCCEEDED))
    (second,) = tick(now=later).claimed
    assert second.job_id == job.pk
    assert run.covered_until is not None and second.scheduled_for == run.covered_until + MINUTE
    assert second.covered_until is not None and second.covered_until > second.scheduled_for


def test_overlap_skip_records_the_scheduled_times_as_skipped() -> None:
    job = a_due_job(overlap="SKIP")
    (run,) = tick().claimed
    started(run)
    assert tick(now=database_now() + 3 * MINUTE).claimed == []
    skipped = Run.objects.get(job=job, status=Status.SKIPPED)
    assert "still running" in skipped.reason
    assert run.covered_until is not None and skipped.scheduled_for == run.covered_until + MINUTE


def test_overlap_replace_requests_the_stop_of_the_running_run_once() -> None:
    a_due_job(overlap="REPLACE")
    (run,) = tick().claimed
    nonce = started(run)
    for _again in range(2):
        assert tick(now=database_now() + 3 * MINUTE).claimed == []
    assert lifecycle.renew(run.pk, run.token, nonce).stop_requested_by
    assert run.events.filter(kind="STOP_REQUESTED").count() == 1
    lifecycle.finish(run.pk, run.token, nonce, Outcome(Status.STOPPED))
    assert len(tick(now=database_now() + 3 * MINUTE).claimed) == 1


def test_a_forced_run_leaves_the_schedule_unchanged_and_clears_its_flag() -> None:
    job = a_booked_job(cron="0 3 1 1 *")
    before = state_of(job)
    Job.objects.filter(pk=job.pk).update(force_run=True)
    (run,) = tick().claimed
    job.refresh_from_db()
    after = state_of(job)
    assert (run.trigger, run.scheduled_for, job.force_run) == (Trigger.MANUAL, None, False)
    assert (after.next_run, after.covered_until) == (before.next_run, before.covered_until)


def test_nothing_is_claimed_while_paused() -> None:
    a_due_job()
    with override_settings(CHRONIKER_PAUSED=True):
        assert tick().claimed == []
    assert len(tick().claimed) == 1


def test_a_scheduled_claim_replaces_a_waiting_retry() -> None:
    job = a_due_job()
    JobState.objects.filter(pk=job.pk).update(
        retry_at=database_now(), retry_attempt=2, retry_of=1, retry_origin=Trigger.SCHEDULE
    )
    (run,) = tick().claimed
    assert (run.trigger, run.attempt) == (Trigger.SCHEDULE, 1)
    assert state_of(job).retry_at is None


def test_the_database_refuses_a_second_lease_for_a_slot() -> None:
    job = a_due_job()
    run = run_now(job, "someone")
    other = Run.objects.create(job=job, token=99, status=Status.CLAIMED, trigger="MANUAL", claimed_at=database_now())
    with pytest.raises(IntegrityError), transaction.atomic():
        Lease.objects.create(run=other, job=job, slot=run.slot, token=99, expires_at=database_now())


@pytest.mark.parametrize(
    "impossible",
    [
        {"status": Status.CLAIMED, "finished_at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)},
        {"status": Status.SUCCEEDED, "finished_at": None},
        {"status": Status.RUNNING, "started_at": None},
        {"status": "DREAMING"},
        {
            "scheduled_for": dt.datetime(2026, 1, 2, tzinfo=dt.UTC),
            "covered_until": dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
        },
    ],
)
def test_the_database_refuses_inconsistent_rows(impossible: dict[str, object]) -> None:
    values = {"job": a_booked_job(), "token": 1, "status": Status.CLAIMED, "trigger": "MANUAL", **impossible}
    with pytest.raises(IntegrityError), transaction.atomic():
        Run.objects.create(claimed_at=database_now(), **values)


def statements_of_a_tick_over(due_jobs: int) -> int:
    for _each in range(due_jobs):
        a_due_job()
    return statements_of_a_tick(due_jobs)


def test_the_number_of_statements_of_a_tick_does_not_depend_on_the_number_of_jobs() -> None:
    few = statements_of_a_tick_over(2)
    for _each in range(30):
        a_booked_job(cron="0 3 1 1 *")
    assert statements_of_a_tick_over(20) == few


def test_each_further_batch_needs_the_same_number_of_statements() -> None:
    with override_settings(CHRONIKER_BATCH_SIZE=5):
        few, one, two, three = (statements_of_a_tick_over(count) for count in (4, 5, 10, 15))
    assert few == one, "a full batch needs no question whether there are more"
    assert three - two == two - one > 0
