"""Activations: inserted when a chain of attempts ends, ended by a claim of their target, by a booking, or by a person.

They are the last in the lock order: Group, JobState, Job, Run, Lease, Activation.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Any
from uuid import UUID

from django.db.models import Case, Exists, OuterRef, Q, UUIDField, Value, When

from chroniker.clock.database_clock import database_now
from chroniker.eligibility.waiting_activations import all_waiting_activations, row_if_too_many_activations_wait
from chroniker.lifecycle.bulk import write_states
from chroniker.lifecycle.planned_rows import Plan
from chroniker.lifecycle.transactions import lock_rows, transactional
from chroniker.models import FAILURE_STATUSES, Activation, Job, JobState, JobTrigger, Run, Status, Trigger, TriggerOn
from chroniker.models.alert_fields import alert_rules_of
from chroniker.reasons import Code

#: After more triggers in a row than this, the jobs probably start each other in a cycle.
MAX_TRIGGER_DEPTH = 50
#: One statement ends at most this many rows.
MAX_IDS_PER_STATEMENT = 10_000
#: When a chain ends, it starts other jobs only if its first attempt had one of these triggers.
ORIGINS_THAT_FIRE_TRIGGERS = (Trigger.SCHEDULE, Trigger.MANUAL, Trigger.EVENT)

PASSED_OUTCOME, REFUSED_OUTCOME = Activation.Outcome.PASSED, Activation.Outcome.REFUSED


def insert_activations_of_ended_chains(ended_runs: Iterable[Run], states: Iterable[JobState], now: dt.datetime) -> None:
    """Insert the activations of chains that have ended with these runs, and of chains whose pending retry was cancelled
    in these states. Call it in the transaction that ends the chains.

    Each of these runs ends its chain, so no other call inserts activations with that cause. Two statements if the jobs
    have triggers; none for runs with ``has_triggers`` false.
    """
    ended = [
        run for run in ended_runs if run.origin in ORIGINS_THAT_FIRE_TRIGGERS and run.__dict__.get("has_triggers", True)
    ]
    ended += _read_last_attempts_of_cancelled_chains(states)
    if ended:
        _insert_activations(ended, now)


def _read_last_attempts_of_cancelled_chains(states: Iterable[JobState]) -> list[Run]:
    """The last attempts of the chains whose pending retry was cancelled. One statement; none without such chains."""
    chains = Q()
    for state in states:
        if state.cancelled_chain is not None:
            chains |= Q(job=state.pk, chain=state.cancelled_chain[0])
    if not chains:
        return []
    # A skipped run belongs to no chain, so it is never the last attempt of one.
    attempts = Run.objects.filter(chains, slot="", origin__in=ORIGINS_THAT_FIRE_TRIGGERS)
    has_triggers = Exists(JobTrigger.objects.filter(source=OuterRef("job")))
    rows = attempts.filter(has_triggers).select_related("job").order_by("job", "token")
    return list({run.job_id: run for run in rows}.values())


def _insert_activations(ended_runs: Sequence[Run], now: dt.datetime) -> None:
    triggers = defaultdict(list)
    rows = JobTrigger.objects.filter(source__in={run.job_id for run in ended_runs}).select_related("target__group")
    for trigger in rows.annotate(is_full=Exists(row_if_too_many_activations_wait(OuterRef("target")))).order_by("pk"):
        triggers[trigger.source_id].append(trigger)
    made = [
        _make_activation(run, trigger, now)
        for run in ended_runs
        for trigger in triggers[run.job_id]
        if _does_run_fire_trigger(run, trigger)
    ]
    Activation.objects.bulk_create(made)


def _does_run_fire_trigger(run: Run, trigger: JobTrigger) -> bool:
    results = {
        TriggerOn.SUCCEEDED: (Status.SUCCEEDED,),
        TriggerOn.FAILED: FAILURE_STATUSES,
        TriggerOn.ENDED: (Status.SUCCEEDED, *FAILURE_STATUSES, Status.STOPPED),
    }
    return run.status in results[TriggerOn(trigger.on)]


def _make_activation(run: Run, trigger: Any, now: dt.datetime) -> Activation:
    row = Activation(
        target_id=trigger.target_id,
        trigger=trigger.pk,
        cause=run.pk,
        cause_job=run.job.name,
        instant=run.instant_until or now,
        depth=run.depth + 1,
        made_at=now,
    )
    if row.depth > MAX_TRIGGER_DEPTH:
        mark_unsaved_activation_as_ended(row, REFUSED_OUTCOME, Code.TOO_DEEP)
    elif not trigger.target.enabled:
        mark_unsaved_activation_as_ended(row, PASSED_OUTCOME, Code.DISABLED)
    elif trigger.is_full:
        mark_unsaved_activation_as_ended(row, REFUSED_OUTCOME, Code.TOO_MANY)
    else:
        set_lateness_check_time(row, trigger.target)
    return row


def set_lateness_check_time(activation: Activation, target: Job) -> None:
    """Set the time at which a tick checks whether the activation has waited too long. The row is not inserted yet."""
    limit = alert_rules_of(target).late_after
    activation.late_at = activation.made_at + limit if limit is not None else None


def mark_unsaved_activation_as_ended(activation: Activation, outcome: Activation.Outcome, code: Code) -> None:
    """Mark the activation as ended: it never waits. The row is not inserted yet."""
    activation.ended_at, activation.outcome, activation.code = activation.made_at, outcome, code


def end_activations_of_plans(plans: Sequence[Plan], now: dt.datetime) -> None:
    """End the activations of these plans: a run was claimed for them, or they were passed over. The caller has locked
    their targets. One statement for each outcome and code, and for each ``MAX_IDS_PER_STATEMENT``; none without
    activations."""
    # For a run on every host, this is the parent; if no host was live, it is the skipped run.
    runs = {plan.job_id: (plan.opened_runs or plan.runs)[0].pk for plan in plans if plan.taken_activations}
    if runs:
        ids = [pk for plan in plans for pk in plan.taken_activations]
        whose = [When(target=target, then=Value(run_id, UUIDField())) for target, run_id in runs.items()]
        claimed = Case(*whose, output_field=UUIDField())
        _end_waiting_activations(ids, now, outcome=Activation.Outcome.RUN, run=claimed)
    by_code: dict[Code, list[UUID]] = defaultdict(list)
    for plan in plans:
        for pk, code in plan.activations_without_run:
            by_code[code].append(pk)
    for code, ids in by_code.items():
        _end_waiting_activations(ids, now, outcome=PASSED_OUTCOME, code=code)


def end_activations_of_locked_jobs(job_ids: Collection[int], now: dt.datetime, code: Code) -> int:
    """End all activations that wait for these jobs; returns how many. The caller has locked the states and writes them.

    The ids are read first: an UPDATE by the target would wait for a program's transaction that inserts an activation.
    """
    ids = list(all_waiting_activations().filter(target__in=job_ids).values_list("pk", flat=True)) if job_ids else []
    return _end_waiting_activations(ids, now, outcome=PASSED_OUTCOME, code=code) if ids else 0


def _end_waiting_activations(ids: Sequence[UUID], now: dt.datetime, **columns: Any) -> int:
    """One statement for each ``MAX_IDS_PER_STATEMENT``: databases limit the parameters of a statement."""
    portions = [ids[start : start + MAX_IDS_PER_STATEMENT] for start in range(0, len(ids), MAX_IDS_PER_STATEMENT)]
    return sum(all_waiting_activations().filter(pk__in=portion).update(ended_at=now, **columns) for portion in portions)


@transactional
def end_waiting_activations_of_jobs(job_ids: Collection[int], code: Code) -> int:
    """End all activations that wait for these jobs, at a person's request; returns how many."""
    states = list(lock_rows(JobState.objects.filter(pk__in=job_ids), skip=False))
    count = end_activations_of_locked_jobs([state.pk for state in states], database_now(), code)
    if count:
        write_states(states, ())  # increments the revision, so that a claim that was planned before is not written
    return count
