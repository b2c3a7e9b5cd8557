"""Backfills: add one, cancel one, and record the ends of its runs. Each change is made with the job's JobState
locked."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from uuid import UUID

from django.utils.translation import gettext as _

from chroniker.clock.database_clock import NowPlus, database_now
from chroniker.exceptions import BackfillRefused
from chroniker.lifecycle import alert_conditions, alert_episodes, job_health
from chroniker.lifecycle.bulk import write_states
from chroniker.lifecycle.planned_rows import Plan
from chroniker.lifecycle.transactions import lock_rows, transactional
from chroniker.models import FAILURE_STATUSES, Backfill, BackfillFailurePolicy, JobState, Run, Status

#: The columns of a backfill that a claim or the end of a run may write.
_BACKFILL_COLUMNS = ("cursor", "attempt", "chain", "made", "succeeded", "failed", "finished_at", "stopped_by_run")


@transactional
def add_backfill(backfill: Backfill) -> Backfill:
    """Store this backfill, and make its first run due. Raises ``BackfillRefused`` if the job has an open one."""
    state = lock_rows(JobState.objects.filter(pk=backfill.job_id), skip=False).get()
    open_one = Backfill.objects.filter(job=backfill.job_id, finished_at=None).first()
    if open_one is not None:
        raise BackfillRefused(_("The job already has an open backfill: %(id)s.") % {"id": open_one.pk})
    now = database_now()
    backfill.created_at, state.backfill_at = now, now
    backfill.save(force_insert=True)
    write_states([state], ("backfill_at",))
    return backfill


@transactional
def cancel_backfill(backfill_id: UUID, cancelled_by: str) -> bool:
    """Claim no further run of this backfill; returns whether it was open. Its open run continues."""
    job_id = Backfill.objects.filter(pk=backfill_id).values_list("job", flat=True).first()
    return bool(cancel_open_backfills([job_id], cancelled_by, only_id=backfill_id)) if job_id is not None else False


@transactional
def make_backfill_retry_due_now(backfill_id: UUID) -> bool:
    """Make the pending retry of this backfill due now; returns whether one was pending that was not yet due."""
    pending = Backfill.objects.filter(pk=backfill_id, finished_at=None, attempt__gt=0)
    later = JobState.objects.filter(pk__in=pending.values("job"), backfill_at__gt=NowPlus())
    ids = list(lock_rows(later, skip=False).values_list("pk", flat=True))
    return bool(ids) and bool(JobState.objects.filter(pk__in=ids).update(backfill_at=NowPlus()))


def cancel_open_backfills(job_ids: Collection[int], cancelled_by: str, only_id: UUID | None = None) -> int:
    """Cancel the open backfills of these jobs, within the caller's transaction; returns how many."""
    states = list(lock_rows(JobState.objects.filter(pk__in=job_ids), skip=False))
    rows = Backfill.objects.filter(job__in=[state.pk for state in states], finished_at=None)
    if only_id is not None:
        rows = rows.filter(pk=only_id)
    ended = {row.job_id: row for row in lock_rows(rows, skip=False)}
    now = database_now()
    Backfill.objects.filter(pk__in=[row.pk for row in ended.values()]).update(
        cancelled_at=now, cancelled_by=cancelled_by[:150], finished_at=now
    )
    changed = [state for state in states if state.pk in ended]
    for state in changed:
        state.backfill_at = None
    write_states(changed, ("backfill_at",))
    return len(ended)


@transactional
def fail_backfill(backfill_id: UUID, error: str) -> None:
    """End this backfill: its scheduled times cannot be computed on any host. Nothing happens if it was deleted."""
    job = Backfill.objects.filter(pk=backfill_id).values("job")
    for state in lock_rows(JobState.objects.filter(pk__in=job), skip=False):
        now = database_now()
        if Backfill.objects.filter(pk=backfill_id, finished_at=None).update(finished_at=now, error=error):
            row = Backfill.objects.select_related("job__group").get(pk=backfill_id)
            [changes] = alert_conditions.make_alert_changes([(state, row.job)])
            alert_conditions.add_alert_changes_from_backfill_end(changes, row)
            alert_episodes.write_alert_changes([changes], now)
            state.backfill_at = None
            write_states([state], ("backfill_at", *alert_episodes.ALERT_COLUMNS))


def lock_backfills_and_drop_stale_plans(plans: list[Plan]) -> list[Plan]:
    """Lock the backfills of these plans; leave out plans whose backfill has changed since. At most one statement."""
    ids = [plan.backfill.pk for plan in plans if plan.backfill is not None]
    if not ids:
        return plans
    rows = {row.pk: row for row in lock_rows(Backfill.objects.filter(pk__in=ids, finished_at=None), skip=False)}
    return [plan for plan in plans if plan.backfill is None or _is_backfill_unchanged(plan, rows.get(plan.backfill.pk))]


def _is_backfill_unchanged(plan: Plan, locked_backfill: Backfill | None) -> bool:
    drawn_from: Backfill = plan.state.__dict__["open_backfill"].row
    return locked_backfill is not None and (locked_backfill.cursor, locked_backfill.attempt) == (
        drawn_from.cursor,
        drawn_from.attempt,
    )


def lock_backfills_of_runs(runs: Sequence[Run]) -> dict[UUID | None, Backfill]:
    """Lock the backfills that these runs are part of, and return them. No statement if there are none."""
    ids = {run.backfill for run in runs if run.backfill is not None}
    return {row.pk: row for row in lock_rows(Backfill.objects.filter(pk__in=ids), skip=False)} if ids else {}


def record_backfill_run_end(
    state: JobState, run: Run, backfill: Backfill | None, now: dt.datetime, retry_at: dt.datetime | None
) -> None:
    """Record the end of a run of a backfill: its retry, the next run, or the end of the backfill.

    The job's last result, failures, hold and pending retry stay as they are: they are about the current schedule.
    """
    job_health.add_backfill_run_to_job_counters(state, run)
    if backfill is None:
        return
    if retry_at is not None and backfill.is_open:
        backfill.attempt, state.backfill_at = run.attempt, retry_at
        return
    backfill.succeeded += run.status == Status.SUCCEEDED
    backfill.failed += run.status in FAILURE_STATUSES
    if not backfill.is_open:
        return  # it was cancelled meanwhile, and the job may have another backfill now
    state.backfill_at = now
    if run.status in FAILURE_STATUSES and backfill.on_failure == BackfillFailurePolicy.STOP:
        backfill.finished_at, backfill.stopped_by_run, state.backfill_at = now, run.token, None


def write_backfills(backfills: Sequence[Backfill]) -> None:
    """Write the rows that a claim or the end of runs has changed. The caller has locked them. One statement."""
    if backfills:
        Backfill.objects.bulk_update(backfills, _BACKFILL_COLUMNS)
