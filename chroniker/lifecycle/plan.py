"""What a claim will write for one job, computed before its transaction. Pure."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from django.utils.translation import gettext as _

from chroniker.conf import settings
from chroniker.models import EVERY_HOST, Job, JobState, Run, Status, Trigger
from chroniker.schedule import jitter, latest_until, next_after


@dataclass(slots=True)
class Plan:
    """The state a claim leaves behind, and the runs it inserts (in order of token)."""

    state: JobState  # as it was read; the claim compares it with the row it locks
    after: JobState  # as the claim leaves it
    runs: list[Run] = field(default_factory=list)
    start_deadline: dt.timedelta = dt.timedelta()
    missed: Run | None = None  # that of the runs, if any, which records instants noticed too late

    @property
    def claimed(self) -> Run | None:
        """The run that gets a lease, if any: a plan may consist of skipped instants only."""
        return self.runs[-1] if self.runs and self.runs[-1].status == Status.CLAIMED else None


def next_booking(state: JobState, instant: dt.datetime | None, offset: dt.timedelta) -> None:
    state.next_instant = instant
    state.next_run = instant + offset if instant else None


def scheduled(state: JobState, now: dt.datetime, ready_until: dt.datetime | None = None) -> Plan:
    """Cover the instants that are due (and, for a dependent, ready): skip what is too late, run once for the rest.

    ``ready_until``: the first instant of a job waited for that is not accounted for yet; only earlier ones are ready.
    """
    job, plan = state.job, _plan(state)
    assert state.next_instant is not None
    spec, first, offset = job.spec, state.next_instant, jitter(job.pk, job.jitter_seconds)
    bound = now - offset
    if ready_until is not None:
        bound = min(bound, ready_until - dt.timedelta(microseconds=1))
    if job.misfire_grace_seconds is not None:
        limit = now - offset - dt.timedelta(seconds=job.misfire_grace_seconds, microseconds=1)
        missed = latest_until(spec, min(limit, bound)) if first <= limit else None
        if missed is not None and missed >= first:
            reason = _("Missed: more than %(seconds)s s late.") % {"seconds": job.misfire_grace_seconds}
            _add(plan, now, Status.SKIPPED, Trigger.SCHEDULE, first, missed, reason)
            plan.missed = plan.runs[-1]
            following = next_after(spec, missed)
            if following is None or following > bound:
                next_booking(plan.after, following, offset)
                return plan
            first = following
    upcoming = next_after(spec, first)
    until = first
    if upcoming is not None and upcoming <= bound:
        until = latest_until(spec, bound) or first
        upcoming = next_after(spec, until)
    _add(plan, now, Status.CLAIMED, Trigger.SCHEDULE, first, until)
    next_booking(plan.after, upcoming, offset)
    return plan


def overlapped(state: JobState, now: dt.datetime) -> Plan:
    """Record the instants that fell while the job was running as skipped."""
    job, plan = state.job, _plan(state)
    assert state.next_instant is not None
    offset = jitter(job.pk, job.jitter_seconds)
    until = latest_until(job.spec, now - offset) or state.next_instant
    _add(plan, now, Status.SKIPPED, Trigger.SCHEDULE, state.next_instant, until, _("The job was still running."))
    next_booking(plan.after, next_after(job.spec, until), offset)
    return plan


def by_hand(state: JobState, now: dt.datetime, args: str | None = None) -> Plan:
    """A person asked: covers no instants and leaves the schedule where it is. ``args``: for this once."""
    plan = _plan(state)
    _add(plan, now, Status.CLAIMED, Trigger.MANUAL)
    plan.runs[-1].args = args
    return plan


def retry(state: JobState, now: dt.datetime) -> Plan:
    """Another attempt of the chain that failed, with the arguments it had: covers no instants of its own."""
    plan = _plan(state)
    _add(plan, now, Status.CLAIMED, Trigger.RETRY)
    plan.runs[-1].args = state.__dict__.get("failed_args")  # as ``due.retries`` has read it
    return plan


def _plan(state: JobState) -> Plan:
    after = JobState(
        job_id=state.pk,
        booked_spec=state.booked_spec,
        accounted_until=state.accounted_until,
        next_instant=state.next_instant,
        next_run=state.next_run,
        last_token=state.last_token,
        retry_at=state.retry_at,
        attempt=state.attempt,
    )
    seconds = state.job.start_deadline_seconds
    return Plan(state, after, start_deadline=dt.timedelta(seconds=seconds) if seconds else settings.start_deadline)


def _add(
    plan: Plan,
    now: dt.datetime,
    status: Status,
    trigger: Trigger,
    first: dt.datetime | None = None,
    until: dt.datetime | None = None,
    reason: str = "",
) -> None:
    after = plan.after
    after.last_token += 1
    if until is not None:
        after.accounted_until = until
    if status == Status.CLAIMED:
        after.attempt = after.attempt + 1 if trigger == Trigger.RETRY else 1
        after.retry_at = None  # a new claim absorbs a retry that was waiting
    plan.runs.append(
        Run(
            job_id=plan.state.pk,
            token=after.last_token,
            status=status,
            trigger=trigger,
            attempt=after.attempt if status == Status.CLAIMED else 0,
            target=_target(plan.state.job) if status == Status.CLAIMED else "",
            scheduled_for=first,
            covered_until=until,
            claimed_at=now,
            finished_at=None if status == Status.CLAIMED else now,
            reason=reason,
        )
    )


def _target(job: Job) -> str:
    return job.hostname if job.hostname != EVERY_HOST else ""
