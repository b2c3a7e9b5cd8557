"""When a run is retried; and the requests of people to cancel a pending retry, or to make it due now."""

from __future__ import annotations

import datetime as dt

from chroniker.clock.database_clock import NowPlus, database_now
from chroniker.eligibility.claim_kinds import ORIGINS_THAT_CAN_HOLD_JOB
from chroniker.lifecycle import activations, alert_conditions, alert_episodes, job_health
from chroniker.lifecycle.bulk import write_states
from chroniker.lifecycle.transactions import lock_rows, transactional
from chroniker.models import Job, JobState, Run, Status, Trigger

MAX_RETRY_BACKOFF = dt.timedelta(days=1)


def compute_next_retry_time(
    job: Job, run: Run, now: dt.datetime, *, has_lost_child: bool = False
) -> dt.datetime | None:
    """The time of the retry after ``run``; ``None``: it is not retried. A run with a stop request is never retried.

    A failure or a timeout is retried ``max_retries`` times; a lost run, with ``retry_on_lost``, without limit. The
    back-off doubles each time, up to a day. After ``LOST_ATTEMPTS_BEFORE_FAILURE`` lost attempts
    there is no retry for a backfill, and for a job with *hold on failure*. ``has_lost_child``: the run on one of the
    hosts was lost, so the parent counts as lost.
    """
    if run.stop_requested_at is not None or not job.enabled:
        return None
    has_lost_child = has_lost_child or run.status == Status.LOST
    failed = not has_lost_child and run.status in (Status.FAILED, Status.TIMED_OUT) and run.attempt <= job.max_retries
    is_bounded = run.origin == Trigger.BACKFILL or (job.hold_on_failure and run.origin in ORIGINS_THAT_CAN_HOLD_JOB)
    is_last = is_bounded and run.attempt >= job_health.LOST_ATTEMPTS_BEFORE_FAILURE
    if failed or (has_lost_child and job.retry_on_lost and not is_last):
        backoff = dt.timedelta(seconds=job.retry_backoff_seconds * 2 ** min(run.attempt - 1, 20))
        return now + min(backoff, MAX_RETRY_BACKOFF)
    return None


@transactional
def cancel_retry(job_id: int) -> int | None:
    """Cancel the pending retry of this job; returns the chain that has ended, or ``None`` if no retry was pending.

    The chain ends as its last attempt did: with its failure, hold, alerts and triggers, in this transaction.
    """
    state = lock_rows(JobState.objects.filter(pk=job_id, retry_at__isnull=False), skip=False).first()
    if state is None:
        return None
    now, chain = database_now(), state.retry_of
    job = Job.objects.select_related("group").get(pk=job_id)
    job_health.end_pending_retry(state, job, now)
    all_changes = alert_conditions.make_alert_changes([(state, job)])
    for changes in all_changes:
        alert_conditions.add_alert_changes_from_state(changes)
        changes.state.alert_at = now if changes.rules.is_time_dependent else changes.state.alert_at
    alert_episodes.write_alert_changes(all_changes, now)
    columns = (
        *job_health.RETRY_COLUMNS,
        *job_health.HOLD_COLUMNS,
        *job_health.FAILURE_COLUMNS,
        *alert_episodes.ALERT_COLUMNS,
    )
    write_states([state], columns)
    activations.insert_activations_of_ended_chains([], [state], now)
    return chain


@transactional
def make_retry_due_now(job_id: int) -> bool:
    """Make the pending retry of this job due now; returns whether one was pending that was not yet due."""
    later = JobState.objects.filter(pk=job_id, retry_at__gt=NowPlus())
    return bool(later.update(retry_at=NowPlus()))
