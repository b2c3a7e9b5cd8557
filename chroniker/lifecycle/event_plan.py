"""The plan of a claim for waiting activations. Pure."""

from __future__ import annotations

import datetime as dt
import shlex
from collections.abc import Sequence

from chroniker.eligibility.claim_kinds import EVENT
from chroniker.job_commands import placeholders
from chroniker.lifecycle.planned_rows import Plan, add_run_to_plan, instant_before, make_empty_plan
from chroniker.models import Activation, CatchUp, JobState, Status, Trigger
from chroniker.reasons import Code


def plan_run_for_activations(state: JobState, now: dt.datetime, waiting: Sequence[Activation]) -> Plan:
    """One run for the oldest activations: for all of them, the first, or the last, by the job's catch-up.

    ``waiting``: the oldest first. Those that waited longer than the misfire grace are passed over. An activation with
    arguments is never merged with others, and never replaced by a later one: it gets its own run, in its turn.
    The next scheduled time does not change.
    """
    plan, grace = make_empty_plan(EVENT, state), state.job.misfire_grace_seconds
    since = None if grace is None else now - dt.timedelta(seconds=grace)
    recent = [each for each in waiting if since is None or each.made_at >= since]
    plan.activations_without_run = [
        (each.pk, Code.TOO_OLD) for each in waiting if since is not None and each.made_at < since
    ]
    block = _select_activations_of_next_run(recent, state.job.catch_up)
    if state.job.catch_up == CatchUp.LATEST:
        plan.activations_without_run += [(each.pk, Code.LATER) for each in block[:-1]]
        block = block[-1:]
    if block:
        _add_run_for_activations(plan, now, block)
    return plan


def _select_activations_of_next_run(waiting: Sequence[Activation], catch_up: str) -> list[Activation]:
    """The first activations that one run may take."""
    if catch_up == CatchUp.EACH or (waiting and waiting[0].args is not None):
        return list(waiting[:1])
    own = next((n for n, each in enumerate(waiting) if each.args is not None), len(waiting))
    return list(waiting[:own])


def _add_run_for_activations(plan: Plan, now: dt.datetime, activations: Sequence[Activation]) -> None:
    """Add one run for the instants of all these activations; its cause is that of the last activation."""
    last = activations[-1]
    add_run_to_plan(
        plan, now, Status.CLAIMED, Trigger.EVENT, args=None if last.args is None else make_argument_line(last.args)
    )
    run = plan.runs[-1]
    run.cause, run.asked_by, run.depth = last.cause, last.asked_by, max(each.depth for each in activations)
    run.instant, run.instant_until = (
        min(each.instant for each in activations),
        max(each.instant for each in activations),
    )
    run.interval_start = instant_before(plan.spec, run.instant)
    plan.taken_activations = [each.pk for each in activations]


def make_argument_line(words: Sequence[str]) -> str:
    """A line of arguments that is split into exactly these words, and has no placeholders."""
    return placeholders.escape(shlex.join(words))
