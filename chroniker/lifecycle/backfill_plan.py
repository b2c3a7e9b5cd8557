"""The plan of a claim for a backfill: the run for its next instant, or its end. Pure."""

from __future__ import annotations

import copy
import datetime as dt
from dataclasses import dataclass

from chroniker.eligibility.backfill_instants import CandidateInstants, does_instant_need_run
from chroniker.eligibility.claim_kinds import BACKFILL
from chroniker.lifecycle.planned_rows import Plan, add_run_to_plan, instant_before, make_empty_plan
from chroniker.models import Backfill, JobState, Status, Trigger


@dataclass(frozen=True, slots=True)
class OpenBackfill:
    """The open backfill of a job, as this pass has read it."""

    row: Backfill
    candidates: CandidateInstants | None  #: None for a retry: it needs no candidates


def plan_backfill_run(state: JobState, now: dt.datetime) -> Plan:
    """One run for the next instant. The run covers no instants. ``state`` carries its backfill as ``open_backfill``.

    If the run would probably not end before the job's next run of the schedule, it is not claimed: the next check is at
    that time. If no instant is left, the plan ends the backfill. If no candidate gets a run, it moves the cursor behind
    them.
    """
    found: OpenBackfill = state.__dict__["open_backfill"]
    plan = make_empty_plan(BACKFILL, state)
    plan.backfill = row = copy.copy(found.row)
    if not would_backfill_run_end_before_next_run(state, now):
        plan.state_after.backfill_at = state.next_run
    elif row.attempt:
        _add_backfill_run(plan, row, now)
    elif found.candidates is not None:
        _plan_first_instant_that_needs_run(plan, row, found.candidates, now)
    return plan


def would_backfill_run_end_before_next_run(state: JobState, now: dt.datetime) -> bool:
    """Whether a run of the usual duration ends before the next run of the schedule."""
    return state.next_run is None or now + dt.timedelta(seconds=state.p50 or 0) < state.next_run


def _plan_first_instant_that_needs_run(
    plan: Plan, row: Backfill, candidates: CandidateInstants, now: dt.datetime
) -> None:
    """Add a run for the first candidate that gets a run; if there is none, move the cursor or end the backfill."""
    for instant, answer in candidates.instants_with_results:
        if does_instant_need_run(row.which, answer, include_unknown=row.include_unknown):
            row.cursor, row.chain, row.made = instant, plan.state_after.last_token + 1, row.made + 1
            _add_backfill_run(plan, row, now)
            return
    row.cursor = candidates.until
    if candidates.is_last:
        row.finished_at, plan.state_after.backfill_at = now, None
    else:
        plan.state_after.backfill_at = now


def _add_backfill_run(plan: Plan, row: Backfill, now: dt.datetime) -> None:
    assert row.cursor is not None
    add_run_to_plan(plan, now, Status.CLAIMED, Trigger.BACKFILL, args=row.args)
    run = plan.runs[-1]
    run.instant = run.instant_until = row.cursor
    run.interval_start = instant_before(row.schedule, row.cursor)
    run.backfill, run.asked_by = row.pk, row.asked_by
    run.attempt, run.chain = row.attempt + 1, row.chain
    if row.attempt:
        run.trigger = Trigger.RETRY
    row.attempt = 0
    plan.state_after.backfill_at = None  # until this run ends
