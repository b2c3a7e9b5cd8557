"""Requests of commands and programs: pause, run, backfill, stop, drain. Requests with an effect are added to the audit.

Pages of the admin call the functions that these functions call, and add entries to the log of Django's admin.
"""

from __future__ import annotations

import datetime as dt
from uuid import UUID

from chroniker import lifecycle
from chroniker.conf import settings
from chroniker.eligibility import draining, pauses
from chroniker.lifecycle.transactions import transactional
from chroniker.models import Action, AlertMute, AuditEntry, Backfill, Group, Job, Run, Switch
from chroniker.scheduler import backfilling, dispatch, manual_runs, stopping

#: Longer arguments of a run are cut in the audit entry. The run itself has the complete arguments.
MAX_RECORDED_ARGS_LENGTH = 500


@transactional
def pause(by: str, reason: str = "", group: Group | None = None) -> bool:
    """Pause all jobs, or this group. ``False``: it was paused already. The entry is written in the same transaction."""
    changed = pauses.pause(by, reason, group)
    if changed:
        AuditEntry.objects.record(by, Action.PAUSED, [_audit_target(group)], why=reason.strip()[:500])
    return changed


@transactional
def resume(by: str, group: Group | None = None) -> bool:
    """End the pause of all jobs, or of this group. ``False``: it was not paused. The entry as for ``pause``."""
    changed = pauses.resume(group)
    if changed:
        AuditEntry.objects.record(by, Action.RESUMED, [_audit_target(group)])
    return changed


@transactional
def resume_job(job: Job, by: str) -> bool:
    """End the hold of this job. ``False``: it was not held. The entry as for ``pause``."""
    changed = bool(lifecycle.resume_jobs([job.pk]))
    if changed:
        AuditEntry.objects.record(by, Action.UNHELD, [job])
    return changed


def run_now(job: Job, by: str, args: str | None = None, instant: dt.datetime | None = None) -> Run:
    """Like ``manual_runs.run_now``. The run itself names ``by``; its entry is written after the claim."""
    run = manual_runs.run_now(job, by, args, instant)
    if args is None:
        AuditEntry.objects.record(by, Action.RUN, [job], token=run.token)
    else:
        AuditEntry.objects.record(by, Action.RUN_WITH, [job], token=run.token, args=args[:MAX_RECORDED_ARGS_LENGTH])
    return run


def stop(run_id: UUID | str, by: str) -> bool:
    """Like ``stopping.stop_run``; returns whether the run was open. A repeated request adds no entry."""
    run = Run.objects.filter(pk=run_id).select_related("job").first()
    was_open = stopping.stop_run(run_id, by)
    if run is not None and was_open and run.stop_requested_at is None:
        AuditEntry.objects.record(by, Action.STOPPED, [run.job], token=run.token)
    return was_open


def request_backfill(requested: backfilling.BackfillRequest, by: str) -> Backfill:
    """Like ``backfilling.request_backfill``; the entry is written after it."""
    made = backfilling.request_backfill(requested, by)
    AuditEntry.objects.record(by, Action.BACKFILL, [requested.job], id=str(made.pk), planned=made.planned)
    return made


def cancel_backfill(backfill_id: UUID | str, by: str, *, stop_run: bool = False) -> bool:
    """Like ``backfilling.cancel_backfill``. A repeated request adds no entry."""
    was_open = backfilling.cancel_backfill(backfill_id, by, stop_run=stop_run)
    if was_open:
        job = Job.objects.get(backfills=UUID(str(backfill_id)))
        AuditEntry.objects.record(by, Action.BACKFILL_CANCELLED, [job], id=str(backfill_id))
    return was_open


@transactional
def make_backfill_retry_due_now(backfill: Backfill, by: str) -> bool:
    """Make the pending retry of this backfill due now, as ``make_retry_due_now`` does."""
    changed = lifecycle.make_backfill_retry_due_now(backfill.pk)
    if changed:
        AuditEntry.objects.record(by, Action.RETRY_HASTENED, [backfill.job])
    return changed


@transactional
def cancel_retry(job: Job, by: str) -> bool:
    """Cancel the pending retry of this job. ``False``: none was pending. The entry as for ``pause``."""
    chain = lifecycle.cancel_retry(job.pk)
    if chain is not None:
        AuditEntry.objects.record(by, Action.RETRY_CANCELLED, [job], token=chain)
    return chain is not None


@transactional
def make_retry_due_now(job: Job, by: str) -> bool:
    """Make the pending retry of this job due now. ``False``: no retry is pending, or it is due already. The entry as
    for ``pause``."""
    changed = lifecycle.make_retry_due_now(job.pk)
    if changed:
        AuditEntry.objects.record(by, Action.RETRY_HASTENED, [job])
    return changed


def begin_drain(by: str) -> list[draining.WorkerWithQueues]:
    """Like ``draining.record_drain_of_this_host``. A drain that has begun already adds no entry."""
    has_begun = draining.select_this_host_if_draining().exists()
    workers = draining.record_drain_of_this_host(by)
    if not has_begun:
        AuditEntry.objects.record(by, Action.DRAINED, [_audit_target(None)], host=settings.hostname)
    return workers


def end_drain(by: str) -> bool:
    """Like ``dispatch.end_drain_of_this_host``. ``False``: this host was not draining."""
    ended = dispatch.end_drain_of_this_host()
    if ended:
        AuditEntry.objects.record(by, Action.UNDRAINED, [_audit_target(None)], host=settings.hostname)
    return ended


def record_deleted_runs(by: str, runs: int, until: str) -> None:
    """The entry about old runs that ``retention`` has deleted."""
    if runs:
        AuditEntry.objects.record(by, Action.CLEANED, [_audit_target(None)], n=runs, until=until)


@transactional
def mute_alerts(
    by: str,
    until: dt.datetime,
    *,
    job: Job | None = None,
    group: Group | None = None,
    since: dt.datetime | None = None,
    reason: str = "",
) -> None:
    """Mute the alerts of this job, of this group, or of all jobs. The entry as for ``pause``."""
    lifecycle.mute(until, by, job=job, group=group, since=since, reason=reason)
    words = {"until": until.isoformat(timespec="minutes"), "why": reason.strip()[:500]}
    AuditEntry.objects.record(by, Action.MUTED, [job or _audit_target(group)], **words)


def unmute_alerts(by: str, *, job: Job | None = None, group: Group | None = None) -> bool:
    """End the mutes of exactly this job, this group, or all jobs. ``False``: there was none.

    The entry as for ``pause``.
    """
    ended = bool(lifecycle.unmute(AlertMute.objects.filter(job=job, group=group)))
    if ended:
        AuditEntry.objects.record(by, Action.UNMUTED, [job or _audit_target(group)])
    return ended


def _audit_target(group: Group | None) -> Group | Switch:
    return Switch(pk=pauses.SWITCH_ID) if group is None else group
