"""Nothing → CLAIMED, nothing → SKIPPED: one short transaction for a batch of jobs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from django.db.models import Exists, OuterRef

from chroniker.conf import settings
from chroniker.eligibility import pauses
from chroniker.lifecycle import host_runs
from chroniker.lifecycle.bulk import insert, write_states
from chroniker.lifecycle.group_limit import lock_and_count_free, within_limit
from chroniker.lifecycle.notify import enqueue, send_run_finished
from chroniker.lifecycle.plan import Plan
from chroniker.lifecycle.transactions import locked, transactional
from chroniker.models import EVERY_HOST, Job, JobState, Lease, Run, Status
from chroniker.signals import run_claimed, send_after_commit

#: What a claim changes in the state; also what must still be as it was read when the row is locked.
BOOKING = ("covered_until", "next_instant", "next_run", "last_token", "retry_at", "retry_attempt")


def claim(plans: Sequence[Plan], now: dt.datetime, *, wait: bool = False) -> list[Run]:
    """Write the plans whose jobs are still as they were read; the claimed runs, each with its ``job`` loaded.

    A claim for every host is a run that nobody starts, followed by one for each live host (``roster``).

    Guarantees: a job that another claimer holds or has moved on is left out (so each instant is claimed once), and
    the next instant is booked in the same transaction that inserts the run, so a crash may lose a run, and say so,
    but never repeats one. Of a group with a limit no more jobs are claimed than it has room for, the first of
    ``plans`` first. A plan by flag needs the job's ``force_run`` flag, and lowers it. ``wait``: for locks, instead of
    passing over locked jobs (a person asked for this very job).
    """
    host_runs.plan_children(plans, now)
    won = _claim(plans, now, wait)
    for run in won:
        send_after_commit(run_claimed, Run, run_id=run.pk, job_id=run.job_id, token=run.token, trigger=run.trigger)
    return won


@transactional
def _claim(plans: Sequence[Plan], now: dt.datetime, wait: bool) -> list[Run]:
    room = lock_and_count_free(plans, skip=not wait)
    mine = within_limit(_still_as_read(plans, skip=not wait), plans, room)
    mine = _flags_lowered(mine, skip=not wait)
    if not mine:
        return []
    claimed = [(run, plan) for plan in mine for run in plan.opened]
    for run, _plan in claimed:
        run.redispatch_at = now + settings.redispatch if run.status == Status.CLAIMED else None
    insert(Run, [run for plan in mine for run in plan.runs])
    _tell_missed(mine, now)
    send_run_finished(run for plan in mine for run in plan.runs if run.status == Status.SKIPPED)
    insert(Lease, [_lease(run, plan, now) for run, plan in claimed])
    write_states([plan.after for plan in mine], BOOKING)
    for run, plan in claimed:
        run.job = plan.state.job
    return [run for run, _plan in claimed]


def _tell_missed(plans: Sequence[Plan], now: dt.datetime) -> None:
    for plan in plans:
        if plan.missed:
            plan.missed.job = plan.state.job
    enqueue([plan.missed for plan in plans if plan.missed], now)


def _lease(run: Run, plan: Plan, now: dt.datetime) -> Lease:
    lease = Lease(run_id=run.pk, job_id=run.job_id, slot=run.slot, token=run.token)
    lease.expires_at = now + plan.start_deadline
    if run.required_host == EVERY_HOST:  # its progress: how many hosts have reported
        lease.total_parts, lease.total_parts_complete = len(plan.opened) - 1, 0
    return lease


def _still_as_read(plans: Sequence[Plan], *, skip: bool) -> list[Plan]:
    """Lock the jobs' states. One that was claimed, edited, disabled or paused since it was read is not ours."""
    by_id = {plan.state.pk: plan for plan in plans}
    enabled = Exists(Job.objects.filter(pk=OuterRef("pk"), enabled=True, group__paused_at__isnull=True))
    rows = locked(JobState.objects.filter(enabled, ~pauses.switched_off(), pk__in=by_id), skip=skip)
    mine = []
    for pk, token, instant, retry_at in rows.values_list("pk", "last_token", "next_instant", "retry_at"):
        state = by_id[pk].state
        if (token, instant, retry_at) == (state.last_token, state.next_instant, state.retry_at):
            mine.append(by_id[pk])
    return mine


def _flags_lowered(plans: list[Plan], *, skip: bool) -> list[Plan]:
    """Lower the flags of plans by flag; without the plans whose flag was lowered by someone else."""
    by_flag = [plan.state.pk for plan in plans if plan.kind.by_flag]
    if not by_flag:
        return plans
    ids = set(locked(Job.objects.filter(pk__in=by_flag, force_run=True), skip=skip).values_list("pk", flat=True))
    Job.objects.filter(pk__in=ids).update(force_run=False)
    return [plan for plan in plans if plan.state.pk in ids or not plan.kind.by_flag]
