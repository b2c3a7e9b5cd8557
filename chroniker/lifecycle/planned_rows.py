"""The rows that a plan writes: the runs of a claim, and the state after it. Pure."""

from __future__ import annotations

import datetime as dt
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from chroniker.conf import settings
from chroniker.eligibility.claim_kinds import ClaimKind, does_next_claim_keep_retry
from chroniker.exceptions import ScheduleError
from chroniker.job_commands import policy
from chroniker.lifecycle import job_health
from chroniker.models import OPEN_STATUSES, Backfill, Job, JobState, Run, Status, Trigger
from chroniker.models.light_rows import make_unsaved_row
from chroniker.reasons import NO_REASON, Code, Reason
from chroniker.schedule import ScheduleSpec, latest_instant_until
from chroniker.schedule.zones import zone_rules_version

#: The columns of JobState that a plan may change, or needs to compute the changes.
_PLANNED_STATE_COLUMNS = (
    "revision",
    "booked_fingerprint",
    "booked_zone_rules",
    "covered_until",
    "next_instant",
    "next_run",
    "last_token",
    "last_instant",
    "last_status",
    "last_finished_at",
    "backfill_at",
    *job_health.RETRY_COLUMNS,
    *job_health.HOLD_COLUMNS,
    *job_health.FAILURE_COLUMNS,
    *job_health.SKIP_COUNT_COLUMNS,
    "schedule_error",
    "schedule_error_since",
    "alert_at",
    "alerts_open",
)


@dataclass(slots=True)
class Plan:
    """The state after a claim, and the runs it inserts (in order of token)."""

    kind: ClaimKind  # what must still hold when the claim is written
    state: JobState  # as it was read; the claim compares it with the row it locks
    state_after: JobState  # as the claim leaves it
    job: Job
    job_id: int
    spec: ScheduleSpec  # the schedule of the job
    start_deadline: dt.timedelta
    runs: list[Run] = field(default_factory=list)
    taken_activations: list[UUID] = field(default_factory=list)  # activations that the claimed run is for
    # Activations that end without a run, and why.
    activations_without_run: list[tuple[UUID, Code]] = field(default_factory=list)
    dispatch_queue: str | None = None  # of the dispatch right after the commit; None: recorded after the dispatch
    run_of_missed_instants: Run | None = None  # if there are any
    backfill: Backfill | None = None  # of a claim for a backfill: its row after the claim
    is_dropped: bool = False  # the plan is not written

    @property
    def opened_runs(self) -> list[Run]:
        """The runs that get a lease: the claimed one, or a parent with its children."""
        return [run for run in self.runs if run.status in OPEN_STATUSES]

    @property
    def claimed_run(self) -> Run | None:
        """The run that gets a lease, if any: a plan may consist of skipped instants only."""
        return self.runs[-1] if self.runs and self.runs[-1].status == Status.CLAIMED else None


def set_next_instant(state: JobState, instant: dt.datetime | None, offset: dt.timedelta) -> None:
    """Book this instant. It was computed by this host's rules of time zones; a host with newer rules books the job
    again."""
    state.booked_zone_rules = zone_rules_version()
    state.next_instant = instant
    state.next_run = instant + offset if instant else None


def instant_before(spec: ScheduleSpec, instant: dt.datetime) -> dt.datetime | None:
    """The last instant of the schedule before this time; ``None``: there is none, or the schedule is not valid."""
    with suppress(ScheduleError):
        return latest_instant_until(spec, instant - dt.timedelta(microseconds=1))
    return None


def make_empty_plan(kind: ClaimKind, state: JobState) -> Plan:
    values, job = state.__dict__, state.job
    job_id = values["job_id"]
    after = make_unsaved_row(JobState, job_id=job_id, **{name: values[name] for name in _PLANNED_STATE_COLUMNS})
    return Plan(
        kind, state, after, job, job_id, job.spec, settings.start_deadline_or_default(job.start_deadline_seconds)
    )


def add_run_to_plan(
    plan: Plan,
    now: dt.datetime,
    status: Status,
    trigger: Trigger,
    first: dt.datetime | None = None,
    until: dt.datetime | None = None,
    because: Reason = NO_REASON,
    args: str | None = None,
) -> None:
    after, interval_start = plan.state_after, plan.state_after.last_instant
    if interval_start is None and first is not None:  # the first claim of this job
        interval_start = instant_before(plan.spec, first)
    after.last_token += 1
    if until is not None:
        after.covered_until = after.last_instant = until
    plan.runs.append(
        make_unsaved_row(
            Run,
            job_id=plan.job_id,
            token=after.last_token,
            status=status,
            trigger=trigger,
            origin=trigger,
            scheduled_for=first,
            covered_until=until,
            instant=first or now,
            instant_until=until or now,
            interval_start=interval_start,
            claimed_at=now,
            **(
                _prepare_skipped_run(plan, now)
                if status == Status.SKIPPED
                else _prepare_claimed_run(plan, now, trigger, args)
            ),
            **because.columns(),
        )
    )


def _prepare_skipped_run(plan: Plan, now: dt.datetime) -> dict[str, Any]:
    plan.state_after.n_skipped += 1
    return {"attempt": 0, "finished_at": now, "uncounted_since": now}


def _prepare_claimed_run(plan: Plan, now: dt.datetime, trigger: Trigger, args: str | None) -> dict[str, Any]:
    """The columns of a claimed run about its attempt, and about where and what it executes, as the job is now."""
    job, after = plan.job, plan.state_after
    attempt = 1
    if trigger == Trigger.RETRY:
        attempt = after.retry_attempt + 1
        job_health.clear_pending_retry(after)
    elif trigger == Trigger.SCHEDULE and after.retry_origin == Trigger.SCHEDULE and not does_next_claim_keep_retry(job):
        job_health.end_pending_retry(after, job, now)  # the new run does the work of the pending retry
    return {
        "chain": after.last_token,  # the plan of a retry replaces it
        "attempt": attempt,
        "required_host": job.hostname,
        "executor": job.executor,
        "queue": job.queue,
        "argv": policy.planned_argv(job.command, job.raw_command, job.args if args is None else args),
        "args": args,
    }
