"""The plan of a claim: the rows it writes for one job, computed before its transaction. Pure."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

from chroniker.conf import settings
from chroniker.eligibility.claim_kinds import MANUAL, OVERLAPPED, RETRY, RETRY_INHERITS, SCHEDULED, ClaimKind
from chroniker.job_commands import policy
from chroniker.lifecycle import job_health
from chroniker.models import OPEN, JobState, Run, Status, Trigger
from chroniker.reasons import NO_REASON, Code, Reason
from chroniker.schedule import ClosedTime, closed_at, closed_until, jitter, last_open, latest_until, next_after

#: What a plan may change in the state, or needs to compute the changes.
_COPIED = (
    "revision",
    "booked_fingerprint",
    "covered_until",
    "next_instant",
    "next_run",
    "last_token",
    "retry_at",
    "retry_attempt",
    "last_instant",
    "last_status",
    "last_finished_at",
    *job_health.CHAIN,
    *job_health.SKIPPED,
)
ASKED_BY_LENGTH = 150


@dataclass(slots=True)
class Plan:
    """The state after a claim, and the runs it inserts (in order of token)."""

    kind: ClaimKind  # what must still hold when the claim is written
    state: JobState  # as it was read; the claim compares it with the row it locks
    after: JobState  # as the claim leaves it
    runs: list[Run] = field(default_factory=list)
    start_deadline: dt.timedelta = dt.timedelta()
    missed: Run | None = None  # the one of the runs, if any, that records missed instants

    @property
    def opened(self) -> list[Run]:
        """The runs that get a lease: the claimed one, or a parent with its children."""
        return [run for run in self.runs if run.status in OPEN]

    @property
    def claimed(self) -> Run | None:
        """The run that gets a lease, if any: a plan may consist of skipped instants only."""
        return self.runs[-1] if self.runs and self.runs[-1].status == Status.CLAIMED else None


def draw(kind: ClaimKind, state: JobState, now: dt.datetime, ready_until: dt.datetime | None = None) -> Plan:
    """The plan of a claim of this kind. ``ready_until``: as for ``scheduled``."""
    if kind is OVERLAPPED:
        return overlapped(state, now)
    if kind is SCHEDULED:
        return scheduled(state, now, ready_until)
    if kind is RETRY:
        return retry(state, now)
    return by_hand(state, now, kind=kind)


def next_booking(state: JobState, instant: dt.datetime | None, offset: dt.timedelta) -> None:
    state.next_instant = instant
    state.next_run = instant + offset if instant else None


def scheduled(state: JobState, now: dt.datetime, ready_until: dt.datetime | None = None) -> Plan:
    """Cover the instants that are due (and, for a dependent, ready): skip those in blackouts and those that are too
    late, and run once for the rest.

    ``ready_until``: the first pending instant of a dependee; only earlier instants are ready. The claimed run covers
    all instants from its first to the last one outside blackouts, including those in blackouts between the two.
    Instants in a blackout after the last one are skipped by a later claim.
    """
    job, plan = state.job, _plan(SCHEDULED, state)
    assert state.next_instant is not None
    spec, closed, offset = job.spec, job.closed_times, jitter(job.pk, job.jitter_seconds)
    bound = now - offset
    if ready_until is not None:
        bound = min(bound, ready_until - dt.timedelta(microseconds=1))
    first = _skip_closed(plan, now, closed, state.next_instant, bound)
    if first is not None and first <= bound and job.misfire_grace_seconds is not None:
        limit = now - offset - dt.timedelta(seconds=job.misfire_grace_seconds, microseconds=1)
        first = _skip_missed(plan, now, closed, first, min(limit, bound), bound)
    is_closed = bool(closed) and first is not None and closed_at(closed, first, spec.timezone) is not None
    if first is None or (plan.runs and first > bound) or is_closed:
        next_booking(plan.after, first, offset)
        return plan
    until = last_open(spec, closed, first, bound) if closed else max(latest_until(spec, bound) or first, first)
    _add(plan, now, Status.CLAIMED, Trigger.SCHEDULE, first, until)
    next_booking(plan.after, next_after(spec, until), offset)
    return plan


def _skip_closed(
    plan: Plan, now: dt.datetime, closed: list[ClosedTime], first: dt.datetime, bound: dt.datetime
) -> dt.datetime | None:
    """Record the instants in blackouts from ``first`` on as skipped. Returns the first instant outside, or not due."""
    spec, following = plan.state.job.spec, first
    for _each in range(
        len(closed) * 2 if first <= bound else 0
    ):  # each round ends one blackout; the next tick continues
        within = closed_until(spec, closed, following, bound)
        if within is None:
            break
        because = Reason.of(Code.BLACKOUT, name=within.name)
        _add(plan, now, Status.SKIPPED, Trigger.SCHEDULE, within.start, within.end, because)
        further = next_after(spec, within.end)
        if further is None or further > bound:
            return further
        following = further
    return following


def _skip_missed(
    plan: Plan, now: dt.datetime, closed: list[ClosedTime], first: dt.datetime, limit: dt.datetime, bound: dt.datetime
) -> dt.datetime | None:
    """Record the instants until ``limit`` as missed. Returns the first instant after them that may run."""
    job = plan.state.job
    missed = latest_until(job.spec, limit) if first <= limit else None
    if missed is None or missed < first:
        return first
    because = Reason.of(Code.MISSED, seconds=job.misfire_grace_seconds)
    _add(plan, now, Status.SKIPPED, Trigger.SCHEDULE, first, missed, because)
    plan.missed = plan.runs[-1]
    following = next_after(job.spec, missed)
    if following is None or following > bound:
        return following
    return _skip_closed(plan, now, closed, following, bound)


def overlapped(state: JobState, now: dt.datetime) -> Plan:
    """Record the instants that came while the job was running as skipped."""
    job, plan = state.job, _plan(OVERLAPPED, state)
    assert state.next_instant is not None
    offset = jitter(job.pk, job.jitter_seconds)
    bound = now - offset
    first = _skip_closed(plan, now, job.closed_times, state.next_instant, bound)
    if first is not None and first <= bound:
        until = latest_until(job.spec, bound) or first
        _add(plan, now, Status.SKIPPED, Trigger.SCHEDULE, first, until, Reason.of(Code.OVERLAP))
        first = next_after(job.spec, until)
    next_booking(plan.after, first, offset)
    return plan


def in_blackout(state: JobState, now: dt.datetime) -> bool:
    """Whether all due instants lie in blackouts, so that nothing may run."""
    if state.next_instant is None or not (closed := state.job.closed_times):
        return False
    bound = now - jitter(state.pk, state.job.jitter_seconds)
    first = _skip_closed(_plan(SCHEDULED, state), now, closed, state.next_instant, bound)
    return first is None or first > bound


def by_hand(
    state: JobState, now: dt.datetime, args: str | None = None, *, kind: ClaimKind = MANUAL, asked_by: str = ""
) -> Plan:
    """One run on request: covers no instants and leaves the schedule where it is. ``args``: for this run only."""
    plan = _plan(kind, state)
    _add(plan, now, Status.CLAIMED, Trigger.MANUAL, args=args)
    plan.runs[-1].asked_by = asked_by[:ASKED_BY_LENGTH]
    return plan


def retry(state: JobState, now: dt.datetime) -> Plan:
    """The next attempt of a chain, for the instants and with the arguments of the one before. Covers no instants."""
    plan = _plan(RETRY, state)
    failed = {name: state.__dict__.get(f"failed_{name}") for name in RETRY_INHERITS}  # as ``due.find`` has read them
    _add(plan, now, Status.CLAIMED, Trigger.RETRY, args=failed["args"])
    for name, value in failed.items():
        setattr(plan.runs[-1], name, value)
    plan.runs[-1].origin = failed["origin"] or ""
    return plan


def _plan(kind: ClaimKind, state: JobState) -> Plan:
    after = JobState(job_id=state.pk, **{name: getattr(state, name) for name in _COPIED})
    return Plan(kind, state, after, start_deadline=settings.start_deadline_of(state.job.start_deadline_seconds))


def _add(
    plan: Plan,
    now: dt.datetime,
    status: Status,
    trigger: Trigger,
    first: dt.datetime | None = None,
    until: dt.datetime | None = None,
    because: Reason = NO_REASON,
    args: str | None = None,
) -> None:
    after, interval_start = plan.after, plan.after.last_instant
    after.last_token += 1
    if until is not None:
        after.covered_until = after.last_instant = until
    plan.runs.append(
        Run(
            job_id=plan.state.pk,
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
            **(_skipped(plan, now) if status == Status.SKIPPED else _to_execute(plan, now, trigger, args)),
            **because.columns(),
        )
    )


def _skipped(plan: Plan, now: dt.datetime) -> dict[str, Any]:
    plan.after.n_skipped += 1
    return {"attempt": 0, "finished_at": now, "uncounted_since": now}


def _to_execute(plan: Plan, now: dt.datetime, trigger: Trigger, args: str | None) -> dict[str, Any]:
    """The columns of a claimed run about its attempt, and about where and what it executes, as the job is now."""
    job, after = plan.state.job, plan.after
    if trigger == Trigger.RETRY:
        after.retry_at, after.retry_attempt = None, after.retry_attempt + 1
    else:  # a new claim replaces a pending retry
        job_health.drop_retry(after, now)
        after.retry_attempt = 1
    return {
        "chain": after.last_token,  # of a retry it is replaced
        "attempt": after.retry_attempt,
        "required_host": job.hostname,
        "executor": job.executor,
        "queue": job.queue,
        "argv": policy.planned_argv(job.command, job.raw_command, job.args if args is None else args),
        "args": args,
    }
