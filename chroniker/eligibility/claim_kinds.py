"""The table of claim kinds: which jobs have a claim of each kind pending, and what such a claim needs.

Ticks, ``cron --dry-run`` and ``eligibility.explanations`` read this table. ``eligibility.due`` finds the jobs of each
kind; ``lifecycle.claim_plan`` computes what a claim of a kind writes.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from django.db.models import Expression, Q

from chroniker.eligibility.dependencies import DependencyScope
from chroniker.eligibility.waiting_activations import all_waiting_activations
from chroniker.models import CatchUp, Job, JobState, Overlap, Trigger


@dataclass(frozen=True, slots=True)
class ClaimKind:
    """One way in which a job gets a run, or has instants recorded as skipped."""

    name: str
    due_field: str  #: the time of JobState that must have come; empty: it is due at once
    dependencies: DependencyScope  #: the conditions of its dependencies that must be fulfilled
    by_force_run_flag: bool = False  #: pending while the job's ``force_run`` flag is set; the claim clears it
    covers_instants: bool = False  #: needs the job's blackouts, and a booking of the schedule as it is now
    while_run_is_open: bool = (
        False  #: for jobs with an open run and the overlap SKIP; else for jobs without an open run
    )
    waits_for_retry: bool = False  #: not pending while a retry is pending that this claim must not replace
    by_activation: bool = False  #: pending while an activation waits and no retry is pending; the claim takes it
    has_lowest_priority: bool = False  #: not pending while the job is held or a retry is pending

    def pending_condition(self, now: dt.datetime | Expression) -> Q:
        """SQL condition on JobState: a claim of this kind is pending. Each kind has an index of its own."""
        # "IN (true)", because SQLite uses no index for a condition that is only a column.
        flagged = Q(pk__in=Job.objects.filter(force_run__in=[True]).values("pk")) if self.by_force_run_flag else Q()
        due = Q(**{f"{self.due_field}__lte": now}) if self.due_field else Q()
        found = flagged & due & (Q(job__overlap=Overlap.SKIP) if self.while_run_is_open else Q())
        if self.by_activation:
            found &= Q(pk__in=all_waiting_activations().values("target"), retry_at__isnull=True)
        if self.covers_instants or self.by_activation:
            found &= Q(held_at__isnull=True)
        if self.has_lowest_priority:
            found &= Q(held_at__isnull=True, retry_at__isnull=True)
        return found & ~retry_comes_first_condition() if self.waits_for_retry else found

    def is_pending(self, state: JobState, now: dt.datetime) -> bool:
        """Like ``pending_condition``, for a loaded state with its ``job`` and, for activations, its ``n_waiting``."""
        moment: dt.datetime | None = getattr(state, self.due_field) if self.due_field else now
        flagged = state.job.force_run or not self.by_force_run_flag
        return flagged and moment is not None and moment <= now and not self._is_blocked_by_state(state)

    def _is_blocked_by_state(self, state: JobState) -> bool:
        return (
            (self.while_run_is_open and state.job.overlap != Overlap.SKIP)
            or ((self.covers_instants or self.by_activation) and state.held_at is not None)
            or (self.by_activation and (state.retry_at is not None or not state.__dict__.get("n_waiting")))
            or (self.waits_for_retry and does_retry_come_first(state))
            or (self.has_lowest_priority and (state.held_at is not None or state.retry_at is not None))
        )


#: A job with *hold on failure* is held when a chain with one of these triggers ended badly, and keeps its retries.
ORIGINS_THAT_CAN_HOLD_JOB = (Trigger.SCHEDULE, Trigger.EVENT)


def retry_comes_first_condition() -> Q:
    """SQL condition on JobState: a failed run is retried before the next instants are claimed."""
    keeps = Q(job__catch_up=CatchUp.EACH) | Q(job__hold_on_failure=True)
    return Q(keeps, retry_at__isnull=False, retry_origin__in=ORIGINS_THAT_CAN_HOLD_JOB)


def does_retry_come_first(state: JobState) -> bool:
    """Like ``retry_comes_first_condition``, for a loaded state that carries its ``job``."""
    return (
        state.retry_at is not None
        and state.retry_origin in ORIGINS_THAT_CAN_HOLD_JOB
        and does_next_claim_keep_retry(state.job)
    )


def does_next_claim_keep_retry(job: Job) -> bool:
    """Whether a claim of the job's next instants keeps a pending retry, instead of replacing it."""
    return job.catch_up == CatchUp.EACH or job.hold_on_failure


OVERLAPPED = ClaimKind("overlapped", "next_run", DependencyScope.NONE, covers_instants=True, while_run_is_open=True)
FORCED = ClaimKind("forced", "", DependencyScope.CURRENT, by_force_run_flag=True)
SCHEDULED = ClaimKind("scheduled", "next_run", DependencyScope.ALL, covers_instants=True, waits_for_retry=True)
RETRY = ClaimKind("retry", "retry_at", DependencyScope.CURRENT)
#: The columns that a retry copies from the attempt before it: ``failed_…`` of the states of ``due.read_due_states``.
COLUMNS_COPIED_TO_RETRIES = ("args", "chain", "origin", "cause", "depth", "instant", "instant_until", "interval_start")
#: A trigger fired, or a program requested a run. Only claims of this kind take activations.
EVENT = ClaimKind("event", "", DependencyScope.CURRENT, by_activation=True)
#: The last kind: any other claim comes before the runs of a backfill.
BACKFILL = ClaimKind("backfill", "backfill_at", DependencyScope.CURRENT, has_lowest_priority=True)
#: A person requests one run now. This kind is never pending, so no tick searches for it.
MANUAL = ClaimKind("manual", "", DependencyScope.CURRENT)

#: In the order in which a tick claims. A job that was claimed as one kind is not claimed again as a later kind.
TICK_CLAIM_KINDS = (OVERLAPPED, FORCED, SCHEDULED, RETRY, EVENT, BACKFILL)
#: The kinds that come before the runs of a backfill.
URGENT_CLAIM_KINDS = (FORCED, SCHEDULED, RETRY, EVENT)
#: The kinds that start a job which has no open run.
STARTING_CLAIM_KINDS = (*URGENT_CLAIM_KINDS, BACKFILL)


def any_kind_pending_condition(now: dt.datetime | Expression, kinds: tuple[ClaimKind, ...] = STARTING_CLAIM_KINDS) -> Q:
    """SQL condition on JobState: the job has something to start by ``now``, blocked or not.

    Use it for a few named jobs only: over all jobs the OR would use no index.
    """
    pending = Q()
    for kind in kinds:
        pending |= kind.pending_condition(now)
    return pending


def pending_kinds(state: JobState, now: dt.datetime) -> list[ClaimKind]:
    """The kinds of start that are pending for this job, in the order of a tick."""
    return [kind for kind in STARTING_CLAIM_KINDS if kind.is_pending(state, now)]
