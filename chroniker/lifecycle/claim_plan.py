"""The plan of a claim: the rows it writes for one job, computed before its transaction. Pure.

Decides which scheduled times run, which share a run, and which are skipped: in a blackout, too late, or replaced by a
later one.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from chroniker.eligibility.claim_kinds import (
    BACKFILL,
    COLUMNS_COPIED_TO_RETRIES,
    EVENT,
    MANUAL,
    OVERLAPPED,
    RETRY,
    SCHEDULED,
    ClaimKind,
)
from chroniker.lifecycle import backfill_plan
from chroniker.lifecycle.event_plan import plan_run_for_activations
from chroniker.lifecycle.planned_rows import Plan, add_run_to_plan, instant_before, make_empty_plan, set_next_instant
from chroniker.models import Activation, CatchUp, JobState, Status, Trigger
from chroniker.reasons import Code, Reason
from chroniker.schedule import (
    ClosedTime,
    closed_span_from,
    closed_time_at,
    jitter,
    last_open_instant,
    latest_instant_until,
    next_instant_after,
)

MAX_REQUESTER_LENGTH = 150


def make_claim_plan(
    kind: ClaimKind,
    state: JobState,
    now: dt.datetime,
    ready_until: dt.datetime | None = None,
    waiting: Sequence[Activation] = (),
) -> Plan:
    """The plan of a claim of this kind.

    ``ready_until``: see ``plan_scheduled_run``. ``waiting``: activations that wait for the job.
    """
    if kind is OVERLAPPED:
        return plan_skip_of_overlapped_instants(state, now)
    if kind is SCHEDULED:
        return plan_scheduled_run(state, now, ready_until)
    if kind is RETRY:
        return plan_retry_run(state, now)
    if kind is EVENT:
        return plan_run_for_activations(state, now, waiting)
    if kind is BACKFILL:
        return backfill_plan.plan_backfill_run(state, now)
    return plan_manual_run(state, now, kind=kind)


def plan_scheduled_run(state: JobState, now: dt.datetime, ready_until: dt.datetime | None = None) -> Plan:
    """Cover the instants that are due (and, for a dependent, ready). Instants in blackouts and late ones are skipped.
    The other instants get one run by the job's catch-up: for all of them, for the first, or for the last.

    ``ready_until``: the first pending instant of a dependee; only earlier instants are ready. The claimed run covers
    all instants from its first to the last one outside blackouts, including those in blackouts between the two.
    Instants in a blackout after the last one are skipped by a later claim.
    """
    job, plan = state.job, make_empty_plan(SCHEDULED, state)
    assert state.next_instant is not None
    spec, closed, offset = plan.spec, job.closed_times, jitter(job.pk, job.jitter_seconds)
    bound = now - offset
    if ready_until is not None:
        bound = min(bound, ready_until - dt.timedelta(microseconds=1))
    first = _skip_instants_in_blackouts(plan, now, closed, state.next_instant, bound)
    if first is not None and first <= bound and job.misfire_grace_seconds is not None:
        limit = now - offset - dt.timedelta(seconds=job.misfire_grace_seconds, microseconds=1)
        first = _skip_instants_past_grace(plan, now, closed, first, min(limit, bound), bound)
    is_closed = bool(closed) and first is not None and closed_time_at(closed, first, spec.timezone) is not None
    if first is None or (plan.runs and first > bound) or is_closed:
        set_next_instant(plan.state_after, first, offset)
        return plan
    following, until = next_instant_after(spec, first), first
    if following is not None and following <= bound and job.catch_up != CatchUp.EACH:  # several instants wait
        until = (
            last_open_instant(spec, closed, first, bound)
            if closed
            else max(latest_instant_until(spec, bound) or first, first)
        )
        following = next_instant_after(spec, until)
    if job.catch_up == CatchUp.LATEST and until > first and (before := instant_before(spec, until)) is not None:
        add_run_to_plan(plan, now, Status.SKIPPED, Trigger.SCHEDULE, first, before, Reason.of(Code.CATCH_UP))
        first = until
    add_run_to_plan(plan, now, Status.CLAIMED, Trigger.SCHEDULE, first, until)
    set_next_instant(plan.state_after, following, offset)
    return plan


def _skip_instants_in_blackouts(
    plan: Plan, now: dt.datetime, closed_times: list[ClosedTime], first: dt.datetime, bound: dt.datetime
) -> dt.datetime | None:
    """Record the instants in blackouts from ``first`` on as skipped.

    Returns the first instant that is outside blackouts, or that is not due.
    """
    spec, following = plan.spec, first
    rounds = len(closed_times) * 2 if first <= bound else 0  # each round skips one span of a blackout
    for _each in range(rounds):
        within = closed_span_from(spec, closed_times, following, bound)
        if within is None:
            break
        because = Reason.of(Code.BLACKOUT, name=within.name)
        add_run_to_plan(plan, now, Status.SKIPPED, Trigger.SCHEDULE, within.start, within.end, because)
        further = next_instant_after(spec, within.end)
        if further is None or further > bound:
            return further
        following = further
    return following


def _skip_instants_past_grace(
    plan: Plan,
    now: dt.datetime,
    closed_times: list[ClosedTime],
    first: dt.datetime,
    limit: dt.datetime,
    bound: dt.datetime,
) -> dt.datetime | None:
    """Record the instants until ``limit`` as missed. Returns the first instant after them that may run."""
    job = plan.job
    missed = latest_instant_until(job.spec, limit) if first <= limit else None
    if missed is None or missed < first:
        return first
    because = Reason.of(Code.MISSED, seconds=job.misfire_grace_seconds)
    add_run_to_plan(plan, now, Status.SKIPPED, Trigger.SCHEDULE, first, missed, because)
    plan.run_of_missed_instants = plan.runs[-1]
    following = next_instant_after(job.spec, missed)
    if following is None or following > bound:
        return following
    return _skip_instants_in_blackouts(plan, now, closed_times, following, bound)


def plan_skip_of_overlapped_instants(state: JobState, now: dt.datetime) -> Plan:
    """Record the instants that came while the job was running as skipped."""
    job, plan = state.job, make_empty_plan(OVERLAPPED, state)
    assert state.next_instant is not None
    offset = jitter(job.pk, job.jitter_seconds)
    bound = now - offset
    first = _skip_instants_in_blackouts(plan, now, job.closed_times, state.next_instant, bound)
    if first is not None and first <= bound:
        until = latest_instant_until(job.spec, bound) or first
        add_run_to_plan(plan, now, Status.SKIPPED, Trigger.SCHEDULE, first, until, Reason.of(Code.OVERLAP))
        first = next_instant_after(job.spec, until)
    set_next_instant(plan.state_after, first, offset)
    return plan


def are_all_due_instants_in_blackouts(state: JobState, now: dt.datetime) -> bool:
    """Whether all due instants lie in blackouts, so that no run may start."""
    if state.next_instant is None or not (closed := state.job.closed_times):
        return False
    bound = now - jitter(state.pk, state.job.jitter_seconds)
    first = _skip_instants_in_blackouts(make_empty_plan(SCHEDULED, state), now, closed, state.next_instant, bound)
    return first is None or first > bound


def plan_manual_run(
    state: JobState,
    now: dt.datetime,
    args: str | None = None,
    *,
    kind: ClaimKind = MANUAL,
    requested_by: str = "",
    instant: dt.datetime | None = None,
) -> Plan:
    """One run on request: covers no instants and leaves the schedule where it is. ``args``: for this run only.

    ``instant``: the scheduled time that the run is for, instead of now. Its interval is computed by the current
    schedule.
    """
    plan = make_empty_plan(kind, state)
    add_run_to_plan(plan, now, Status.CLAIMED, Trigger.MANUAL, args=args)
    run = plan.runs[-1]
    run.asked_by = requested_by[:MAX_REQUESTER_LENGTH]
    if instant is not None:
        run.instant = run.instant_until = instant
        run.interval_start = instant_before(state.job.spec, instant)
    return plan


def plan_retry_run(state: JobState, now: dt.datetime) -> Plan:
    """The next attempt of a chain. Its instants and arguments are those of the attempt before. It covers no
    instants."""
    plan = make_empty_plan(RETRY, state)
    # As ``due.find_due_jobs`` has read them.
    failed = {name: state.__dict__.get(f"failed_{name}") for name in COLUMNS_COPIED_TO_RETRIES}
    add_run_to_plan(plan, now, Status.CLAIMED, Trigger.RETRY, args=failed["args"])
    run = plan.runs[-1]
    for name, value in failed.items():
        setattr(run, name, value)
    # The state has these values too. So a retry belongs to its chain even if its failed attempt was deleted; it has no
    # instant then.
    run.chain, run.origin, run.depth = state.retry_of, state.retry_origin, failed["depth"] or 0
    return plan
