"""Booking: applies edits of a job's schedule or switch to its timeline."""

from __future__ import annotations

import copy
import datetime as dt
from collections.abc import Collection, Iterable, Sequence

from chroniker.clock.database_clock import database_now
from chroniker.conf import settings
from chroniker.exceptions import ScheduleError
from chroniker.lifecycle import activations, alert_conditions, alert_episodes, job_health
from chroniker.lifecycle.bulk import write_states
from chroniker.lifecycle.notify import send_finished_signals
from chroniker.lifecycle.planned_rows import set_next_instant
from chroniker.lifecycle.transactions import lock_rows, transactional
from chroniker.models import AlertKind, Group, Job, JobState, Run, Status, Trigger
from chroniker.reasons import Code, Reason
from chroniker.schedule import Frequency, jitter, next_instant_after
from chroniker.schedule.zones import zone_rules_version

#: The columns of JobState that a booking may write.
BOOKING_COLUMNS = (
    "booked_fingerprint",
    "booked_zone_rules",
    "last_fingerprint",
    "fingerprint_since",
    "covered_until",
    "next_instant",
    "next_run",
    "last_token",
    "schedule_error",
    "schedule_error_since",
    "last_instant",
    "expected_since",
    *alert_episodes.ALERT_COLUMNS,
    *job_health.RETRY_COLUMNS,
    *job_health.HOLD_COLUMNS,
    *job_health.FAILURE_COLUMNS,
    *job_health.SKIP_COUNT_COLUMNS,
)


def book_next_instants(job_ids: Collection[int], now: dt.datetime) -> int:
    """Bring the timelines of these jobs in line with the jobs as they are now; returns how many were booked.

    One SKIPPED run, with the reason, records the instants of the old schedule up to the edit that no run covered, and
    the instants that came while a job was disabled. The new schedule counts from the edit. A job that is booked because
    the rules of time zones changed keeps its timeline: only instants that no run covers are computed again. Jobs whose
    row another transaction has locked are left for the next tick. A job that only this host cannot compute is left for
    other hosts.
    """
    _add_missing_states(job_ids)
    return _book_unlocked_jobs(job_ids, now)


@transactional
def _add_missing_states(job_ids: Collection[int]) -> None:
    missing = Job.objects.filter(pk__in=job_ids, state=None).values_list("pk", flat=True)
    JobState.objects.bulk_create([JobState(job_id=pk) for pk in missing], ignore_conflicts=True)


@transactional
def _book_unlocked_jobs(job_ids: Collection[int], now: dt.datetime) -> int:
    states = {state.pk: state for state in lock_rows(JobState.objects.filter(pk__in=job_ids), skip=True)}
    # Lock the jobs before they are read: an edit that commits later sets ``edited_at`` again.
    jobs = load_groups_into_jobs(lock_rows(Job.objects.filter(pk__in=states), skip=True))
    skipped, booked, failed, edited = list[Run](), list[Job](), list[JobState](), set[int]()
    for job in jobs:
        before = copy.copy(states[job.pk])
        try:
            run = apply_job_edit_to_state(job, states[job.pk], now)
        except Exception as error:  # only an error of this host is handled; any other error is raised again
            if not is_host_local_error(error):
                raise
            states[job.pk] = before
            failed += _set_host_local_error(before, error, now)
            continue
        booked.append(job)
        edited |= {job.pk} if before.booked_fingerprint != states[job.pk].booked_fingerprint else set()
        skipped += [run] if run else []
    Run.objects.bulk_create(skipped)
    send_finished_signals(skipped)
    _write_alerts([(states[job.pk], job) for job in booked], edited, now)
    write_states([*(states[job.pk] for job in booked), *failed], BOOKING_COLUMNS)
    activations.insert_activations_of_ended_chains([], [states[job.pk] for job in booked], now)
    activations.end_activations_of_locked_jobs([job.pk for job in booked if not job.enabled], now, Code.DISABLED)
    Job.objects.filter(pk__in=[job.pk for job in booked]).update(edited_at=None)
    return len(booked)


def load_groups_into_jobs(jobs: Iterable[Job]) -> list[Job]:
    """These jobs with their groups, which are not locked. One statement; none if no job has a group."""
    jobs = list(jobs)
    ids = {job.group_id for job in jobs if job.group_id is not None}
    groups = Group.objects.in_bulk(ids) if ids else {}
    for job in jobs:
        if job.group_id is not None:
            job.group = groups.get(job.group_id)
    return jobs


def _write_alerts(booked: Sequence[tuple[JobState, Job]], edited: Collection[int], now: dt.datetime) -> None:
    """Write the alerts that these bookings raise and end. ``edited``: the jobs with a new schedule."""
    all_changes = alert_conditions.make_alert_changes(booked)
    for changes in all_changes:
        alert_conditions.add_alert_changes_from_state(changes)
        if changes.job.pk in edited and alert_conditions.is_alert_open(changes.state, AlertKind.MISSED):
            changes.ended.add(AlertKind.MISSED)
        is_watched = changes.job.enabled and (changes.rules.is_time_dependent or changes.state.alerts_open)
        changes.state.alert_at = now if is_watched else None
    alert_episodes.write_alert_changes(all_changes, now)


def is_host_local_error(error: Exception) -> bool:
    """Whether another host, or this one later, may be able to compute a schedule that failed here with this error.

    An unknown time zone is such a case: hosts have different versions of the time zone database.
    """
    unknown_zone = isinstance(error, ScheduleError) and error.field == "timezone"
    return unknown_zone or isinstance(error, (OSError, MemoryError, ImportError))


def _set_host_local_error(state: JobState, error: Exception, now: dt.datetime) -> list[JobState]:
    """Record the error because of which this host cannot book the job. The job stays marked as edited: each tick tries
    again."""
    text = f"{settings.hostname}: {error}"
    if text == state.schedule_error:
        return []
    state.schedule_error, state.schedule_error_since = text, state.schedule_error_since or now
    return [state]


def apply_job_edit_to_state(job: Job, state: JobState, now: dt.datetime) -> Run | None:
    """Change ``state`` to fit ``job``; returns the SKIPPED run for the instants until the edit, if there were any.

    It writes nothing to the database: a preview of an edit calls it with copies.
    """
    edit = min(job.edited_at or now, now)
    if is_new := state.covered_until is None:
        state.covered_until = edit = _compute_timeline_start_of_new_job(job, edit)
    edit = max(edit, state.covered_until)
    fingerprint = job.spec.fingerprint() if job.enabled else ""
    was_off, was_suspended = not state.booked_fingerprint, bool(state.schedule_error) and state.next_instant is None
    same = fingerprint == state.booked_fingerprint and not was_suspended
    state.booked_fingerprint, state.schedule_error, state.schedule_error_since = fingerprint, "", None
    state.booked_zone_rules = zone_rules_version()
    if job.enabled and fingerprint != state.last_fingerprint:
        state.last_fingerprint, state.fingerprint_since = fingerprint, edit
    run = None
    try:
        if job.enabled and not same:
            state.expected_since = edit
        if was_off and job.enabled and not is_new:
            pending = next_instant_after(job.spec, state.covered_until)
            run = skip_instants_until(job, state, pending, edit, now, Reason.of(Code.DISABLED))
        elif not was_off and not same:
            because = Reason.of(Code.EDITED if job.enabled else Code.DISABLED)
            run = skip_instants_until(job, state, state.next_instant, edit, now, because)
        instant = next_instant_after(job.spec, state.covered_until) if job.enabled else None
        set_next_instant(state, instant, jitter(job.pk, job.jitter_seconds))
    except Exception as error:  # an error of one schedule concerns this job alone
        if is_host_local_error(error):
            raise
        _set_schedule_error(state, error, now)
    if not job.enabled:
        job_health.end_pending_retry(state, job, now)
    return run


def _compute_timeline_start_of_new_job(job: Job, edited_at: dt.datetime) -> dt.datetime:
    """The start of a new job's timeline: when it was saved. A ONCE job that was saved too late still runs once."""
    if job.frequency == Frequency.ONCE and job.run_at is not None and job.enabled:
        return min(edited_at, job.run_at - dt.timedelta(seconds=1))
    return edited_at


def skip_instants_until(
    job: Job, state: JobState, first_instant: dt.datetime | None, until: dt.datetime, now: dt.datetime, reason: Reason
) -> Run | None:
    """Change ``state``: it covers all instants until ``until``. Returns the SKIPPED run for them, if any. No write."""
    if first_instant is None or first_instant > until:
        state.covered_until = until
        return None
    state.covered_until, interval_start, state.last_instant = until, state.last_instant, first_instant
    state.last_token, state.n_skipped = state.last_token + 1, state.n_skipped + 1
    return Run(
        job_id=job.pk,
        token=state.last_token,
        status=Status.SKIPPED,
        trigger=Trigger.SCHEDULE,
        origin=Trigger.SCHEDULE,
        attempt=0,
        scheduled_for=first_instant,
        covered_until=until,
        instant=first_instant,
        instant_until=until,
        interval_start=interval_start,
        claimed_at=now,
        finished_at=now,
        uncounted_since=now,
        **reason.columns(),
    )


@transactional
def suspend_schedule(state_as_read: JobState, error: Exception) -> None:
    """Suspend the schedule of this job, with the error that any host would get, until the job is edited.

    Nothing is written if the state has changed since it was read: the error may be that of an older schedule.
    """
    for state in lock_rows(JobState.objects.filter(pk=state_as_read.pk, revision=state_as_read.revision), skip=True):
        now = database_now()
        _set_schedule_error(state, error, now)
        _write_alerts([(state, job) for job in load_groups_into_jobs(Job.objects.filter(pk=state.pk))], (), now)
        write_states([state], BOOKING_COLUMNS)


def _set_schedule_error(state: JobState, error: Exception, now: dt.datetime) -> None:
    kind = "" if isinstance(error, ScheduleError) else f"{type(error).__name__}: "
    state.schedule_error, state.schedule_error_since = f"{kind}{error}", state.schedule_error_since or now
    state.next_instant = state.next_run = None
