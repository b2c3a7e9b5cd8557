"""Cancel a pending retry, or make it due now, at the request of a person."""

from __future__ import annotations

from chroniker.clock.database_clock import FromNow, database_now
from chroniker.lifecycle import activations, alert_conditions, alert_episodes, job_health
from chroniker.lifecycle.bulk import write_states
from chroniker.lifecycle.transactions import locked, transactional
from chroniker.models import Job, JobState


@transactional
def cancel_retry(job_id: int) -> int | None:
    """Cancel the pending retry of this job; returns the chain that has ended so, or ``None`` if none was pending.

    The chain ends as its last attempt did: with its failure, hold, alerts and triggers, in this transaction.
    """
    state = locked(JobState.objects.filter(pk=job_id, retry_at__isnull=False), skip=False).first()
    if state is None:
        return None
    now, chain = database_now(), state.retry_of
    job = Job.objects.select_related("group").get(pk=job_id)
    job_health.drop_retry(state, job, now)
    changes = alert_conditions.changes_of([(state, job)])
    for change in changes:
        alert_conditions.standing(change)
        change.state.alert_at = now if change.rules.need_looks else change.state.alert_at
    alert_episodes.write(changes, now)
    columns = (*job_health.RETRY, *job_health.HOLD, *job_health.CHAIN, *alert_episodes.MARKS)
    write_states([state], columns)
    activations.record_ends([], [state], now)
    return chain


@transactional
def hasten_retry(job_id: int) -> bool:
    """Make the pending retry of this job due now; returns whether one was pending that was not yet due."""
    later = JobState.objects.filter(pk=job_id, retry_at__gt=FromNow())
    return bool(later.update(retry_at=FromNow()))
