"""Adopt a copy of the database: raise tokens, skip scheduled times until now, and end the queued runs."""

from __future__ import annotations

import copy
import datetime as dt
from collections.abc import Collection

from chroniker.conf import settings
from chroniker.lifecycle import activations, alert_conditions, alert_episodes, job_health
from chroniker.lifecycle.backfills import cancel_open_backfills
from chroniker.lifecycle.booking import (
    BOOKING_COLUMNS,
    apply_job_edit_to_state,
    is_host_local_error,
    skip_instants_until,
)
from chroniker.lifecycle.bulk import write_states
from chroniker.lifecycle.notify import send_finished_signals
from chroniker.lifecycle.planned_rows import set_next_instant
from chroniker.lifecycle.stop import request_stops
from chroniker.lifecycle.transactions import lock_rows, transactional
from chroniker.models import Job, JobState, Run, Status
from chroniker.reasons import Code, Reason
from chroniker.schedule import jitter, next_instant_after

_ADOPTION_COLUMNS = (*BOOKING_COLUMNS, "raised_from", "raised_to")


@transactional
def adopt_jobs(job_ids: Collection[int], now: dt.datetime, *, raise_tokens_by: int, skip_missed: bool) -> None:
    """Raise the tokens of these jobs; with ``skip_missed``, also skip their instants until
    ``now``, and cancel their retries and backfills.

    The original database may have given further tokens after the copy was made. A receiver that compares tokens must
    not see one of them again. Skipped instants become one SKIPPED run of each job. A job whose schedule this host
    cannot compute is left marked as edited: a host that can compute it books its next instant.
    """
    if skip_missed:
        cancel_open_backfills(job_ids, "chroniker_adopt")
    states = list(lock_rows(JobState.objects.filter(pk__in=job_ids), skip=False))
    jobs = Job.objects.select_related("group").in_bulk([state.pk for state in states])
    skipped = list[Run]()
    for place, state in enumerate(states):
        state.raised_from = state.last_token
        state.last_token += raise_tokens_by
        state.raised_to = state.last_token
        if skip_missed:
            states[place], runs = _skip_instants_and_cancel_retry(jobs[state.pk], state, now)
            skipped += runs
    Run.objects.bulk_create(skipped)
    send_finished_signals(skipped)
    all_changes = alert_conditions.make_alert_changes((state, jobs[state.pk]) for state in states)
    for changes in all_changes:
        alert_conditions.add_alert_changes_from_state(changes)
        changes.state.alert_at = now if changes.rules.is_time_dependent else changes.state.alert_at
    alert_episodes.write_alert_changes(all_changes, now)
    write_states(states, _ADOPTION_COLUMNS)
    activations.insert_activations_of_ended_chains([], states, now)


def _skip_instants_and_cancel_retry(job: Job, state: JobState, now: dt.datetime) -> tuple[JobState, list[Run]]:
    """Skip the instants until ``now`` and cancel the retry. Returns the new state and the runs that record this."""
    runs = list[Run | None]()
    if job.edited_at is not None:  # also the instants of the schedule before the edit
        before = copy.copy(state)
        try:
            runs.append(apply_job_edit_to_state(job, state, now))
        except Exception as error:  # the job stays marked as edited
            if not is_host_local_error(error):
                raise
            state = before
    job_health.end_pending_retry(state, job, now)
    runs.append(_skip_missed_instants(job, state, now))
    state.expected_since = now
    return state, [run for run in runs if run is not None]


def _skip_missed_instants(job: Job, state: JobState, now: dt.datetime) -> Run | None:
    pending = state.next_instant
    if pending is None or pending > now or not job.enabled:
        return None
    try:
        instant = next_instant_after(job.spec, now)
    except Exception as error:  # an error of one schedule concerns this job alone
        if not is_host_local_error(error):
            return None  # the next claim finds it again
        instant = None
        Job.objects.filter(pk=job.pk, edited_at=None).update(edited_at=now)
    run = skip_instants_until(job, state, pending, now, now, Reason.of(Code.ADOPTED))
    set_next_instant(state, instant, jitter(job.pk, job.jitter_seconds))
    return run


def stop_all_claimed_runs(requested_by: str) -> None:
    """Request the stop of all queued runs, which ends them. Also clears all ``force_run`` flags.

    Running runs keep their leases: their processes may be alive. They are closed as lost when these expire.
    """
    Job.objects.filter(force_run=True).update(force_run=False)
    claims = Run.objects.filter(status=Status.CLAIMED, stop_requested_at=None).order_by("pk")
    while ids := list(claims.values_list("pk", flat=True)[: settings.batch_size]):
        request_stops(ids, requested_by)
