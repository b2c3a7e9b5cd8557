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
from chroniker.lifecycle.notify import send_run_finished
from chroniker.lifecycle.planned_rows import set_next_instant
from chroniker.lifecycle.transactions import lock_rows, transactional
from chroniker.models import AlertKind, Group, Job, JobState, Run, Status, Trigger
from chroniker.reasons import Code, Reason
from chroniker.schedule import Frequency, jitter, next_after
from chroniker.schedule.zones import zone_rules_version

#: What a booking may change in the state.
BOOKED = (
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
    *alert_episodes.MARKS,
    *job_health.RETRY,
    *job_health.HOLD,
    *job_health.CHAIN,
    *job_health.SKIPPED,
)


def book(job_ids: Collection[int], now: dt.datetime) -> int:
    """Bring the timelines of these jobs in line with the jobs as they are now; returns how many were booked.

    Instants of the old schedule up to the edit that no run covered, and instants that fell while a job was disabled,
    become one SKIPPED run with the reason; the new schedule counts from the edit. A job that is booked because the
    rules of time zones changed keeps its timeline: only instants that no run covers are computed again. Jobs whose row
    another transaction has locked are left for the next tick. A job that only this host cannot compute is left for
    other hosts.
    """
    _add_missing_states(job_ids)
    return _book(job_ids, now)


@transactional
def _add_missing_states(job_ids: Collection[int]) -> None:
    missing = Job.objects.filter(pk__in=job_ids, state=None).values_list("pk", flat=True)
    JobState.objects.bulk_create([JobState(job_id=pk) for pk in missing], ignore_conflicts=True)


@transactional
def _book(job_ids: Collection[int], now: dt.datetime) -> int:
    states = {state.pk: state for state in lock_rows(JobState.objects.filter(pk__in=job_ids), skip=True)}
    # Lock the jobs before they are read: an edit that commits later sets ``edited_at`` again.
    jobs = load_groups(lock_rows(Job.objects.filter(pk__in=states), skip=True))
    skipped, booked, failed, edited = list[Run](), list[Job](), list[JobState](), set[int]()
    for job in jobs:
        before = copy.copy(states[job.pk])
        try:
            run = rebook(job, states[job.pk], now)
        except Exception as error:  # only trouble of this host is handled; anything else concerns the caller
            if not is_host_local(error):
                raise
            states[job.pk] = before
            failed += _record_error(before, error, now)
            continue
        booked.append(job)
        edited |= {job.pk} if before.booked_fingerprint != states[job.pk].booked_fingerprint else set()
        skipped += [run] if run else []
    Run.objects.bulk_create(skipped)
    send_run_finished(skipped)
    _write_alerts([(states[job.pk], job) for job in booked], edited, now)
    write_states([*(states[job.pk] for job in booked), *failed], BOOKED)
    activations.record_ends([], [states[job.pk] for job in booked], now)
    activations.pass_over_all([job.pk for job in booked if not job.enabled], now, Code.DISABLED)
    Job.objects.filter(pk__in=[job.pk for job in booked]).update(edited_at=None)
    return len(booked)


def load_groups(jobs: Iterable[Job]) -> list[Job]:
    """These jobs with their groups, which are not locked. One statement; none if no job has a group."""
    jobs = list(jobs)
    ids = {job.group_id for job in jobs if job.group_id is not None}
    groups = Group.objects.in_bulk(ids) if ids else {}
    for job in jobs:
        if job.group_id is not None:
            job.group = groups.get(job.group_id)
    return jobs


def _write_alerts(booked: Sequence[tuple[JobState, Job]], edited: Collection[int], now: dt.datetime) -> None:
    """What these bookings raise and end; a tick looks at the rest soon. ``edited``: jobs with another schedule."""
    changes = alert_conditions.changes_of(booked)
    for change in changes:
        alert_conditions.add_state_changes(change)
        if change.job.pk in edited and alert_conditions.is_open(change.state, AlertKind.MISSED):
            change.ended.add(AlertKind.MISSED)
        is_watched = change.job.enabled and (change.rules.depend_on_time or change.state.alerts_open)
        change.state.alert_at = now if is_watched else None
    alert_episodes.write_changes(changes, now)


def is_host_local(error: Exception) -> bool:
    """Whether another host, or this one later, may be able to compute a schedule that failed here with this error.

    An unknown time zone is such a case: hosts have different versions of the time zone database.
    """
    unknown_zone = isinstance(error, ScheduleError) and error.field == "timezone"
    return unknown_zone or isinstance(error, (OSError, MemoryError, ImportError))


def _record_error(state: JobState, error: Exception, now: dt.datetime) -> list[JobState]:
    """Record that this host cannot book the job. It stays marked as edited: each host tries again with each tick."""
    text = f"{settings.hostname}: {error}"
    if text == state.schedule_error:
        return []
    state.schedule_error, state.schedule_error_since = text, state.schedule_error_since or now
    return [state]


def rebook(job: Job, state: JobState, now: dt.datetime) -> Run | None:
    """Change ``state`` to fit ``job``; the run that closes the range until the edit, if an instant was in it.

    Computes only, and writes nothing: a forecast of an edit calls it with copies.
    """
    edit = min(job.edited_at or now, now)
    if is_new := state.covered_until is None:
        state.covered_until = edit = _timeline_start(job, edit)
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
            pending = next_after(job.spec, state.covered_until)
            run = closing_run(job, state, pending, edit, now, Reason.of(Code.DISABLED))
        elif not was_off and not same:
            because = Reason.of(Code.EDITED if job.enabled else Code.DISABLED)
            run = closing_run(job, state, state.next_instant, edit, now, because)
        instant = next_after(job.spec, state.covered_until) if job.enabled else None
        set_next_instant(state, instant, jitter(job.pk, job.jitter_seconds))
    except Exception as error:  # an error of one schedule concerns this job alone
        if is_host_local(error):
            raise
        _store_error(state, error, now)
    if not job.enabled:
        job_health.drop_retry(state, job, now)
    return run


def _timeline_start(job: Job, edit: dt.datetime) -> dt.datetime:
    """The begin of a new job's timeline: when it was saved. A ONCE job that was saved too late still runs once."""
    if job.frequency == Frequency.ONCE and job.run_at is not None and job.enabled:
        return min(edit, job.run_at - dt.timedelta(seconds=1))
    return edit


def closing_run(
    job: Job, state: JobState, pending: dt.datetime | None, edit: dt.datetime, now: dt.datetime, because: Reason
) -> Run | None:
    """The SKIPPED run for the instants from ``pending`` to ``edit``; changes ``state``, and writes nothing."""
    if pending is None or pending > edit:
        state.covered_until = edit
        return None
    state.covered_until, interval_start, state.last_instant = edit, state.last_instant, pending
    state.last_token, state.n_skipped = state.last_token + 1, state.n_skipped + 1
    return Run(
        job_id=job.pk,
        token=state.last_token,
        status=Status.SKIPPED,
        trigger=Trigger.SCHEDULE,
        origin=Trigger.SCHEDULE,
        attempt=0,
        scheduled_for=pending,
        covered_until=edit,
        instant=pending,
        instant_until=edit,
        interval_start=interval_start,
        claimed_at=now,
        finished_at=now,
        uncounted_since=now,
        **because.columns(),
    )


@transactional
def suspend_schedule(found: JobState, error: Exception) -> None:
    """Suspend the schedule of this job, with the error that any host would get, until the job is edited.

    Nothing is written if the state was changed since ``found`` was read: the error may be that of an older schedule.
    """
    for state in lock_rows(JobState.objects.filter(pk=found.pk, revision=found.revision), skip=True):
        now = database_now()
        _store_error(state, error, now)
        _write_alerts([(state, job) for job in load_groups(Job.objects.filter(pk=state.pk))], (), now)
        write_states([state], BOOKED)


def _store_error(state: JobState, error: Exception, now: dt.datetime) -> None:
    kind = "" if isinstance(error, ScheduleError) else f"{type(error).__name__}: "
    state.schedule_error, state.schedule_error_since = f"{kind}{error}", state.schedule_error_since or now
    state.next_instant = state.next_run = None
