"""When a run is retried; and the requests of people to cancel a pending retry, or to make it due now."""

from __future__ import annotations

import datetime as dt

from chroniker.clock.database_clock import FromNow, database_now
from chroniker.eligibility.claim_kinds import HOLDING
from chroniker.lifecycle import activations, alert_conditions, alert_episodes, job_health
from chroniker.lifecycle.bulk import write_states
from chroniker.lifecycle.transactions import lock_rows, transactional
from chroniker.models import Job, JobState, Run, Status, Trigger

LONGEST_BACKOFF = dt.timedelta(days=1)


def retry_at(job: Job, run: Run, now: dt.datetime, *, lost: bool = False) -> dt.datetime | None:
    """The time of the retry after ``run``, or ``None``. A run with a stop request is never retried.

    A failure or a timeout is retried ``max_retries`` times; a lost run, if ``retry_on_lost``, as often as it takes:
    the back-off doubles each time, up to a day. A job that is held on failure is held after ``LOST_ATTEMPTS`` lost
    ones, and a backfill goes on after as many. ``lost``: a run on some host was, so that this one counts as lost too.
    """
    if run.stop_requested_at is not None or not job.enabled:
        return None
    lost = lost or run.status == Status.LOST
    failed = not lost and run.status in (Status.FAILED, Status.TIMED_OUT) and run.attempt <= job.max_retries
    is_bounded = run.origin == Trigger.BACKFILL or (job.hold_on_failure and run.origin in HOLDING)
    is_last = is_bounded and run.attempt >= job_health.LOST_ATTEMPTS
    if failed or (lost and job.retry_on_lost and not is_last):
        backoff = dt.timedelta(seconds=job.retry_backoff_seconds * 2 ** min(run.attempt - 1, 20))
        return now + min(backoff, LONGEST_BACKOFF)
    return None


@transactional
def cancel_retry(job_id: int) -> int | None:
    """Cancel the pending retry of this job; returns the chain that has ended so, or ``None`` if none was pending.

    The chain ends as its last attempt did: with its failure, hold, alerts and triggers, in this transaction.
    """
    state = lock_rows(JobState.objects.filter(pk=job_id, retry_at__isnull=False), skip=False).first()
    if state is None:
        return None
    now, chain = database_now(), state.retry_of
    job = Job.objects.select_related("group").get(pk=job_id)
    job_health.drop_retry(state, job, now)
    changes = alert_conditions.changes_of([(state, job)])
    for change in changes:
        alert_conditions.add_state_changes(change)
        change.state.alert_at = now if change.rules.depend_on_time else change.state.alert_at
    alert_episodes.write_changes(changes, now)
    columns = (*job_health.RETRY, *job_health.HOLD, *job_health.CHAIN, *alert_episodes.MARKS)
    write_states([state], columns)
    activations.record_ends([], [state], now)
    return chain


@transactional
def hasten_retry(job_id: int) -> bool:
    """Make the pending retry of this job due now; returns whether one was pending that was not yet due."""
    later = JobState.objects.filter(pk=job_id, retry_at__gt=FromNow())
    return bool(later.update(retry_at=FromNow()))
