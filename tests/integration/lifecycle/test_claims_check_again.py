"""The state may change between the query for due jobs and a claim, so a claim checks again under its locks."""

from __future__ import annotations

import datetime as dt
import re
import time
from collections.abc import Callable

import pytest
from django.db import connection

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.eligibility import due
from chroniker.eligibility.claim_kinds import FORCED, RETRY, SCHEDULED
from chroniker.lifecycle import Outcome, claim_plan
from chroniker.models import Job, JobState, Run, Status
from chroniker.scheduler.manual_runs import run_now
from chroniker.scheduler.stopping import stop_run
from chroniker.scheduler.tick import tick
from tests.support.command_jobs import a_job_due_once
from tests.support.factories import a_booked_job, a_dependency, a_due_job, started, state_of

#: What precedes the columns that are written: of an UPDATE, or of an INSERT of rows that exist.
WRITES_OF_STATES = re.compile('UPDATE "chroniker_jobstate"|INSERT INTO "chroniker_jobstate".* UPDATE ', re.DOTALL)


def drawn(job: Job, now: dt.datetime) -> lifecycle.Plan:
    """The plan of a claim that a tick has made and not written yet."""
    state = due.find_due_jobs(SCHEDULED, now, [job.pk]).get()
    return claim_plan.make_claim_plan(SCHEDULED, state, now)


def test_a_plan_made_before_an_edit_was_booked_is_not_written() -> None:
    """Token, next scheduled time and retry stay the same: only the revision shows that the plan is old."""
    job = a_booked_job(cron="0 3 1 1 *")
    instant = state_of(job).next_instant
    assert instant is not None
    old = drawn(job, instant)
    Job.objects.filter(pk=job.pk).update(cron="0 3 1 1,2 *")
    lifecycle.book_next_instants([job.pk], database_now())
    booked = state_of(job)
    assert (booked.next_instant, booked.last_token) == (instant, old.state.last_token)
    assert lifecycle.claim([old], instant) == []
    (run,) = lifecycle.claim([drawn(job, instant)], instant)
    following = state_of(job).next_instant
    assert run.scheduled_for == instant
    assert following is not None and following.month == 2


@pytest.mark.parametrize("kind", [SCHEDULED, RETRY])
def test_a_job_whose_dependee_starts_after_the_query_is_not_claimed(kind: object) -> None:
    dependee, dependent = a_booked_job(cron="0 3 1 1 *"), a_due_job()
    a_dependency(dependent, dependee, wait_for_completion=True)
    JobState.objects.filter(pk=dependent.pk).update(retry_at=database_now() if kind is RETRY else None)
    now = database_now()
    state = due.find_due_jobs(kind, now, [dependent.pk]).get()  # type: ignore[arg-type]
    found = claim_plan.make_claim_plan(kind, state, now)  # type: ignore[arg-type]
    run = run_now(dependee, "ann")
    assert lifecycle.claim([found], now) == []
    stop_run(run.pk, "ann")
    assert [run.job_id for run in lifecycle.claim([found], now)] == [dependent.pk]


def test_a_batch_does_not_claim_a_job_that_waits_for_another_job_of_the_batch() -> None:
    dependee, dependent = a_job_due_once(), a_job_due_once()
    a_dependency(dependent, dependee, wait_for_completion=True)
    (run,) = tick().claimed
    assert run.job_id == dependee.pk
    lifecycle.finish(run.pk, run.token, started(run), Outcome(Status.SUCCEEDED))
    assert [run.job_id for run in tick().claimed] == [dependent.pk]


def test_a_job_that_was_disabled_after_the_query_is_not_claimed() -> None:
    disabled, other = a_due_job(), a_due_job()
    now = database_now()
    plans = [drawn(disabled, now), drawn(other, now)]
    Job.objects.filter(pk=disabled.pk).update(enabled=False)
    assert [run.job_id for run in lifecycle.claim(plans, now)] == [other.pk]


def test_a_claim_clears_the_force_run_flags_of_its_own_jobs_only() -> None:
    jobs = [a_booked_job(cron="0 3 1 1 *", force_run=True) for _each in range(3)]
    cleared, forced, other = jobs
    now = database_now()
    states = due.find_due_jobs(FORCED, now, [cleared.pk, forced.pk])
    plans = [claim_plan.make_claim_plan(FORCED, state, now) for state in states]
    Job.objects.filter(pk=cleared.pk).update(force_run=False)  # by another claimer, after the query
    assert [run.job_id for run in lifecycle.claim(plans, now)] == [forced.pk]
    assert list(Job.objects.filter(force_run=True)) == [other]


def test_a_claim_without_a_dispatch_is_dispatched_after_the_usual_delay_and_a_skip_never() -> None:
    job = a_due_job(minutes=10, misfire_grace_seconds=200)
    now = database_now()
    (run,) = lifecycle.claim([drawn(job, now)], now)
    skipped, claimed = Run.objects.filter(job=job).order_by("token")
    assert (claimed.pk, claimed.dispatched_at) == (run.pk, None)
    assert claimed.redispatch_at == claimed.claimed_at + dt.timedelta(seconds=60)
    assert (skipped.status, skipped.redispatch_at) == (Status.SKIPPED, None)


def _claimed() -> Run:
    a_due_job(max_retries=1)
    (run,) = tick().claimed
    return run


def _finished() -> Job:
    run = _claimed()
    lifecycle.finish(run.pk, run.token, started(run), Outcome(Status.FAILED))
    return run.job


def _stopped() -> Job:
    run = _claimed()
    stop_run(run.pk, "ann")
    return run.job


def _expired() -> Job:
    run = _claimed()
    run.lease.__class__.objects.filter(pk=run.pk).update(expires_at=database_now() - dt.timedelta(hours=1))
    assert lifecycle.expire_runs(10)
    return run.job


def _edited() -> Job:
    job = a_booked_job()
    Job.objects.filter(pk=job.pk).update(cron="*/7 * * * *")
    lifecycle.book_next_instants([job.pk], database_now())
    return job


def _schedule_suspended() -> Job:
    job = a_booked_job()
    lifecycle.suspend_schedule(state_of(job), ValueError("no such day"))
    return job


@pytest.mark.parametrize("write", [lambda: _claimed().job, _finished, _stopped, _expired, _edited, _schedule_suspended])
def test_every_write_of_a_job_state_increments_its_revision(write: Callable[[], Job]) -> None:
    revisions: list[tuple[str, bool]] = []

    def watch(execute, sql, params, many, context):  # type: ignore[no-untyped-def]
        for written in WRITES_OF_STATES.split(sql.replace("`", '"'))[1:]:
            revisions.append((sql, '"revision" =' in written))
        return execute(sql, params, many, context)

    with connection.execute_wrapper(watch):
        job = write()
    assert revisions and all(named for _sql, named in revisions), revisions
    assert state_of(job).revision >= 2 - (write is _schedule_suspended)


def test_job_states_are_written_only_in_the_two_functions_that_count_revisions() -> None:
    from pathlib import Path

    import chroniker

    source = {path: path.read_text() for path in Path(chroniker.__file__).parent.rglob("*.py")}
    calls = ("state.save(", "JobState.objects.bulk_update(", "JobState._base_manager", "UPDATE chroniker_jobstate")
    assert [(path, call) for path, text in source.items() for call in calls if call in text] == []


def test_a_run_is_never_claimed_before_the_end_of_the_run_that_its_job_waited_for() -> None:
    """Also when that run ended after the tick had read the clock, and before the claim checked the dependency."""
    dependee, dependent = a_booked_job(cron="0 3 1 1 *"), a_due_job()
    a_dependency(dependent, dependee, wait_for_completion=True)
    before = run_now(dependee, "ann")
    nonce, now = started(before), database_now()
    time.sleep(0.01)  # SQLite's clock has milliseconds
    lifecycle.finish(before.pk, before.token, nonce, Outcome(Status.SUCCEEDED))
    (run,) = lifecycle.claim([drawn(dependent, now)], now)
    before.refresh_from_db()
    run.refresh_from_db()
    assert run.job_id == dependent.pk
    assert before.finished_at is not None and run.claimed_at >= before.finished_at
