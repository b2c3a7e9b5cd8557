"""Claim a batch of jobs in one short transaction: inserts CLAIMED and SKIPPED runs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from typing import Any

from django.db.models import Q, QuerySet

from chroniker.clock import jump_detection
from chroniker.clock.database_clock import NowPlus
from chroniker.conf import settings
from chroniker.eligibility import dependencies, pauses
from chroniker.eligibility.claim_kinds import MANUAL
from chroniker.eligibility.dependencies import DependencyEdge, DependencyScope
from chroniker.lifecycle import activations, alert_conditions, alert_episodes, backfills, host_runs, job_health
from chroniker.lifecycle.admission import count_free_places, lock_group_limits, select_plans_to_write
from chroniker.lifecycle.bulk import insert_rows, write_states
from chroniker.lifecycle.dispatch_state import FirstRedispatchDelays, record_dispatch_in_advance
from chroniker.lifecycle.events import add_request_events
from chroniker.lifecycle.notify import enqueue_end_messages, send_finished_signals
from chroniker.lifecycle.planned_rows import Plan
from chroniker.lifecycle.transactions import lock_rows, send_signal_after_commit, transactional
from chroniker.models import EVERY_HOST, Job, JobState, Lease, Run, Status
from chroniker.models.compiled import ColumnInIds, fetch_rows
from chroniker.models.light_rows import make_unsaved_row
from chroniker.signals import run_claimed

#: The columns of JobState that a claim writes.
CLAIM_COLUMNS = (
    "booked_zone_rules",
    "covered_until",
    "next_instant",
    "next_run",
    "backfill_at",
    "last_token",
    "last_instant",
    *job_health.RETRY_COLUMNS,
    *job_health.HOLD_COLUMNS,
    *job_health.FAILURE_COLUMNS,
    *job_health.SKIP_COUNT_COLUMNS,
    *alert_episodes.ALERT_COLUMNS,
)


def claim(plans: Sequence[Plan], now: dt.datetime, *, wait_for_locks: bool = False) -> list[Run]:
    """Write those plans that still hold; returns the claimed runs, each with its ``job`` loaded.

    A claim for every host is a parent, which is never started, followed by a child for each live host (``host_runs``).

    Guarantees: a plan is written only if its job's state still has the revision that the plan was computed from. So
    each instant is claimed once and no edit is overwritten. The next instant is booked in the same transaction that
    inserts the run: a crash may lose a run, which is recorded, but never repeats one. What can change without a change
    of the revision (pauses, the switch of the job, its group's limit, its dependencies, the force-run flag, a jump of
    the database's clock) is checked again under the claim's locks. A batch has the same result as its plans claimed one
    after the other. *Not checked again:* blackouts and live hosts; they may have changed since the plan was computed.

    ``wait_for_locks``: wait instead of skipping locked rows (a person requested this job). Raises
    ``ClockJumped``; then nothing is written.
    """
    if not plans:
        return []
    if any(plan.claimed_run and plan.claimed_run.required_host == EVERY_HOST for plan in plans):
        host_runs.add_child_runs_to_plans(plans, now)
        plans = [plan for plan in plans if not plan.is_dropped]
    edges = dependencies.read_dependency_edges(
        [plan.job_id for plan in plans if plan.kind.dependencies is not DependencyScope.NONE]
    )
    claimed = _write_plans(plans, edges, now, wait_for_locks)
    if run_claimed.has_listeners(Run):
        for run in claimed:
            send_signal_after_commit(
                run_claimed, Run, run_id=run.pk, job_id=run.job_id, token=run.token, trigger=run.trigger
            )
    return claimed


@transactional
def _write_plans(
    plans: Sequence[Plan], edges: Sequence[DependencyEdge], now: dt.datetime, wait_for_locks: bool
) -> list[Run]:
    limits = lock_group_limits(plans, skip_locked=not wait_for_locks) if any(plan.job.group for plan in plans) else {}
    unchanged = backfills.lock_backfills_and_drop_stale_plans(
        _lock_states_and_drop_stale_plans(plans, edges, skip_locked=not wait_for_locks)
    )
    admitted, checked_at = _select_still_eligible_plans(unchanged, now)
    if limits or edges:
        admitted = select_plans_to_write(admitted, edges, count_free_places(limits))
    admitted = _clear_force_run_flags(admitted, skip_locked=not wait_for_locks)
    if admitted:
        _insert_rows_of_plans(admitted, checked_at)
        _write_alerts(admitted, checked_at)
        write_states([plan.state_after for plan in admitted], CLAIM_COLUMNS)
        backfills.write_backfills([plan.backfill for plan in admitted if plan.backfill])
        activations.end_activations_of_plans(admitted, checked_at)
        activations.insert_activations_of_ended_chains([], [plan.state_after for plan in admitted], checked_at)
    return [run for plan in admitted for run in plan.opened_runs]


def _lock_states_and_drop_stale_plans(
    plans: Sequence[Plan], edges: Sequence[DependencyEdge], *, skip_locked: bool
) -> list[Plan]:
    """Lock the states of these jobs and of their dependees; returns the plans whose revision is unchanged.

    The dependees are locked, so that none of them can start between the check of the dependencies and the commit. A
    plan with a row that another transaction has locked is left out, if ``skip_locked``.
    """
    ids = {plan.job_id for plan in plans} | {edge.dependee_id for edge in edges}
    revisions = dict(fetch_rows(_lock_states_and_select_revisions, skip_locked, ids=list(ids)))
    # A dependee without a state has never been booked: no claim of it can be under way.
    held = {edge.dependent_id for edge in edges if edge.has_state and edge.dependee_id not in revisions}
    unchanged = [plan for plan in plans if revisions.get(plan.job_id) == plan.state.revision]
    return [plan for plan in unchanged if plan.job_id not in held]


def _lock_states_and_select_revisions(skip_locked: bool, ids: Collection[int]) -> QuerySet[JobState, Any]:
    return lock_rows(JobState.objects.filter(ColumnInIds("pk", ids)), skip=skip_locked).values_list("pk", "revision")


def _select_still_eligible_plans(plans: Sequence[Plan], now: dt.datetime) -> tuple[list[Plan], dt.datetime]:
    """Check, under the locks, the conditions that may change without the revision, and the clock. One statement.

    It is a separate statement, because a statement that waits for locks reads other tables as they were before the
    wait. The second value is the time of the check, at least ``now``: a dependency that finished after ``now`` may have
    made a plan eligible.
    """
    if not plans:
        return [], now
    ids: dict[DependencyScope, list[int]] = {}
    for plan in plans:
        ids.setdefault(plan.kind.dependencies, []).append(plan.job_id)
    before = jump_detection.read_host_clocks()
    rows = fetch_rows(_select_eligible_states, **{scope.name: scoped for scope, scoped in ids.items()})
    found = {pk: (now, server) for pk, now, server in rows}
    if not found:
        return [], now
    checked_at, server = next(iter(found.values()))
    reading = jump_detection.evaluate_reading(checked_at, server or None, before)
    if reading.suspended_because:
        raise jump_detection.ClockJumped(reading)
    return [plan for plan in plans if plan.job_id in found], max(now, checked_at)


def _select_eligible_states(**ids_by_scope: Collection[int]) -> QuerySet[JobState, Any]:
    """``ids_by_scope``: the jobs to check, by the name of the scope of their dependencies."""
    allowed = Q(pk__in=[])
    for name, scoped in ids_by_scope.items():
        allowed |= Q(~dependencies.blocked_by_dependency_condition(DependencyScope[name]), ColumnInIds("pk", scoped))
    states = JobState.objects.filter(allowed, ~pauses.all_jobs_paused_condition(), job__enabled=True)
    rows = states.filter(job__group__paused_at__isnull=True)
    return rows.annotate(now=NowPlus(), server=jump_detection.server_identity_expression()).values_list(
        "pk", "now", "server"
    )


def _clear_force_run_flags(plans: list[Plan], *, skip_locked: bool) -> list[Plan]:
    """Clear the flags that these plans need; leave out plans whose flag another claimer has cleared."""
    by_force_run_flag = [plan.job_id for plan in plans if plan.kind.by_force_run_flag]
    if not by_force_run_flag:
        return plans
    ids = set(
        lock_rows(Job.objects.filter(pk__in=by_force_run_flag, force_run=True), skip=skip_locked).values_list(
            "pk", flat=True
        )
    )
    Job.objects.filter(pk__in=ids).update(force_run=False)
    return [plan for plan in plans if plan.job_id in ids or not plan.kind.by_force_run_flag]


def _insert_rows_of_plans(plans: Sequence[Plan], now: dt.datetime) -> None:
    """Insert runs, leases, events, and the messages about missed instants. ``now``: when the plans were checked."""
    runs, redispatch_at, delays = (
        [run for plan in plans for run in plan.runs],
        now + settings.redispatch,
        FirstRedispatchDelays(),
    )
    for plan in plans:
        for run in plan.runs:
            run._state.fields_cache["job"] = plan.job
            _set_times_to_claim_time(run, now)
            run.redispatch_at = redispatch_at if run.status == Status.CLAIMED else None
        if plan.dispatch_queue is not None and plan.claimed_run:
            record_dispatch_in_advance(plan.claimed_run, plan.dispatch_queue, now, delays.delay_for_job(plan.job))
    insert_rows(Run, runs)
    add_request_events([plan.opened_runs[0] for plan in plans if plan.kind is MANUAL and plan.opened_runs], now)
    enqueue_end_messages([plan.run_of_missed_instants for plan in plans if plan.run_of_missed_instants], now)
    send_finished_signals(run for run in runs if run.status == Status.SKIPPED)
    insert_rows(Lease, [_make_lease(run, plan, now) for plan in plans for run in plan.opened_runs])


def _write_alerts(plans: Sequence[Plan], now: dt.datetime) -> None:
    """Write the alerts that these claims raise and end, and set the time of the next check. No statement without such
    alerts."""
    all_changes = alert_conditions.make_alert_changes((plan.state_after, plan.job) for plan in plans)
    for plan, changes in zip(plans, all_changes, strict=True):
        alert_conditions.add_alert_changes_from_state(changes)
        if plan.run_of_missed_instants is not None:
            alert_conditions.raise_missed_alert(changes, plan.run_of_missed_instants)
        if plan.backfill is not None:
            alert_conditions.add_alert_changes_from_backfill_end(changes, plan.backfill)
        opened = plan.opened_runs[0] if plan.opened_runs else None
        moments = [alert_conditions.compute_next_alert_check_time(changes, opened, now)]
        if opened is None:  # another run may be open
            moments.append(plan.state.alert_at)
        plan.state_after.alert_at = min(filter(None, moments), default=None)
    alert_episodes.write_alert_changes(all_changes, now)


def _set_times_to_claim_time(run: Run, now: dt.datetime) -> None:
    """Set the times of the run to now. The plan was computed earlier, but its run is claimed, skipped or started
    now."""
    run.claimed_at = now
    run.started_at = now if run.started_at else None
    run.finished_at = now if run.finished_at else None


def _make_lease(run: Run, plan: Plan, now: dt.datetime) -> Lease:
    lease = make_unsaved_row(Lease, run_id=run.pk, job_id=run.job_id, slot=run.slot, token=run.token)
    lease.expires_at = now + plan.start_deadline
    if run.required_host == EVERY_HOST:  # its progress is the number of hosts that have reported
        lease.total_parts, lease.total_parts_complete = len(plan.opened_runs) - 1, 0
    return lease
