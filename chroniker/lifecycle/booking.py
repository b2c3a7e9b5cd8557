"""Edits of a job's schedule or switch, carried over to its timeline."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection

from chroniker.exceptions import ScheduleError
from chroniker.lifecycle.bulk import write_states
from chroniker.lifecycle.notify import send_run_finished
from chroniker.lifecycle.plan import next_booking
from chroniker.lifecycle.transactions import locked, transactional
from chroniker.models import Job, JobState, Run, Status, Trigger
from chroniker.reasons import Code, Reason
from chroniker.schedule import Frequency, jitter, next_after

#: What a booking may change in the state.
BOOKED = (
    "booked_fingerprint",
    "last_fingerprint",
    "fingerprint_since",
    "covered_until",
    "next_instant",
    "next_run",
    "last_token",
    "retry_at",
    "schedule_error",
)


def book(job_ids: Collection[int], now: dt.datetime) -> int:
    """Bring the timelines of these jobs in line with the jobs as they are now; returns how many were looked at.

    Instants of the old schedule up to the edit that no run covered, and instants that fell while a job was disabled,
    become one SKIPPED run that says why; the new schedule counts from the edit. Jobs whose row someone else holds
    are left for the next tick.
    """
    _add_missing_states(job_ids)
    return _book(job_ids, now)


@transactional
def _add_missing_states(job_ids: Collection[int]) -> None:
    missing = Job.objects.filter(pk__in=job_ids, state=None).values_list("pk", flat=True)
    JobState.objects.bulk_create([JobState(job_id=pk) for pk in missing], ignore_conflicts=True)


@transactional
def _book(job_ids: Collection[int], now: dt.datetime) -> int:
    states = {state.pk: state for state in locked(JobState.objects.filter(pk__in=job_ids), skip=True)}
    # Lock the jobs before reading them: an edit that commits later sets ``edited_at`` again.
    jobs = list(locked(Job.objects.filter(pk__in=states), skip=True))
    skipped = [run for job in jobs if (run := _rebook(job, states[job.pk], now))]
    Run.objects.bulk_create(skipped)
    send_run_finished(skipped)
    write_states([states[job.pk] for job in jobs], BOOKED)
    Job.objects.filter(pk__in=[job.pk for job in jobs]).update(edited_at=None)
    return len(jobs)


def _rebook(job: Job, state: JobState, now: dt.datetime) -> Run | None:
    """Change ``state`` to fit ``job``; the run that closes the range until the edit, if an instant was in it."""
    edit = min(job.edited_at or now, now)
    if is_new := state.covered_until is None:
        state.covered_until = edit = _beginning(job, edit)
    edit = max(edit, state.covered_until)
    fingerprint = job.spec.fingerprint() if job.enabled else ""
    offset = jitter(job.pk, job.jitter_seconds)
    if fingerprint == state.booked_fingerprint and not state.schedule_error:
        next_booking(state, state.next_instant, offset)  # the jitter may have changed
        return None
    was_off = not state.booked_fingerprint
    state.booked_fingerprint, state.schedule_error = fingerprint, ""
    if job.enabled and fingerprint != state.last_fingerprint:
        state.last_fingerprint, state.fingerprint_since = fingerprint, edit
    run = None
    try:
        if was_off and job.enabled and not is_new:
            pending = next_after(job.spec, state.covered_until)
            run = _closing_run(job, state, pending, edit, now, Reason.of(Code.DISABLED))
        elif not was_off:
            because = Reason.of(Code.EDITED if job.enabled else Code.DISABLED)
            run = _closing_run(job, state, state.next_instant, edit, now, because)
        next_booking(state, next_after(job.spec, state.covered_until) if job.enabled else None, offset)
    except Exception as error:  # whatever a schedule raises concerns this job alone
        _put_aside(state, error)
    if not job.enabled:
        state.retry_at = None
    return run


def _beginning(job: Job, edit: dt.datetime) -> dt.datetime:
    """Where a new job's timeline begins: when it was saved. A ONCE job saved after its moment still runs, once."""
    if job.frequency == Frequency.ONCE and job.run_at is not None and job.enabled:
        return min(edit, job.run_at - dt.timedelta(seconds=1))
    return edit


def _closing_run(
    job: Job, state: JobState, pending: dt.datetime | None, edit: dt.datetime, now: dt.datetime, because: Reason
) -> Run | None:
    if pending is None or pending > edit:
        state.covered_until = edit
        return None
    state.covered_until = edit
    state.last_token += 1
    return Run(
        job_id=job.pk,
        token=state.last_token,
        status=Status.SKIPPED,
        trigger=Trigger.SCHEDULE,
        attempt=0,
        scheduled_for=pending,
        covered_until=edit,
        claimed_at=now,
        finished_at=now,
        **because.columns(),
    )


def set_aside(job_id: int, error: Exception) -> None:
    """Take a job whose schedule cannot be computed out of the timeline, with its error, until someone edits it."""
    _set_aside(job_id, error)


@transactional
def _set_aside(job_id: int, error: Exception) -> None:
    for state in locked(JobState.objects.filter(pk=job_id), skip=True):
        _put_aside(state, error)
        write_states([state], BOOKED)


def _put_aside(state: JobState, error: Exception) -> None:
    kind = "" if isinstance(error, ScheduleError) else f"{type(error).__name__}: "
    state.schedule_error = f"{kind}{error}"
    state.next_instant = state.next_run = None
