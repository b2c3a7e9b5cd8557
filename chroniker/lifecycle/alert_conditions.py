"""Which alerts of a job to raise and to end, by the end of its run, its claim or its state. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from chroniker.conf import settings
from chroniker.exceptions import ScheduleError
from chroniker.lifecycle.job_health import seconds_of
from chroniker.models import AlertKind, Backfill, Job, JobState, Run, Status, Trigger
from chroniker.models.alert_fields import AlertRules, own_values, rules_of
from chroniker.reasons import Reason
from chroniker.schedule import jitter
from chroniker.schedule.deadlines import next_deadline

#: Alerts that the state of a job shows, at any time.
STANDING = (AlertKind.FAILING, AlertKind.HELD, AlertKind.SET_ASIDE)
#: Alerts about instants: a pause ends them, without a message.
EXPECTATIONS = (AlertKind.LATE, AlertKind.OVERDUE)


@dataclass(frozen=True, slots=True)
class Finding:
    """A reason for an alert. ``args``: the parameters of its text, values that JSON has."""

    kind: AlertKind
    key: str
    args: dict[str, Any]
    run_id: UUID | None = None


@dataclass(slots=True)
class Change:
    """What to raise and to end for one job. ``state`` is the one that the caller writes next.

    ``silent``: of the ended kinds, those that end without a message.
    """

    state: JobState
    job: Job
    rules: AlertRules
    raised: list[Finding] = field(default_factory=list)
    ended: set[AlertKind] = field(default_factory=set)
    silent: set[AlertKind] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.raised or self.ended)


def changes_of(pairs: Iterable[tuple[JobState, Job]]) -> list[Change]:
    """For each state with its job. The groups should be loaded."""
    defaults, found = settings.alerts, dict[Any, AlertRules]()
    changes = []
    for state, job in pairs:
        own = (*own_values(job), job.group_id)
        if (rules := found.get(own)) is None:
            rules = found[own] = rules_of(job, defaults)
        changes.append(Change(state, job, rules))
    return changes


def is_open(state: JobState, kind: AlertKind) -> bool:
    return bool(state.alerts_open & kind.bit)


def add_state_changes(change: Change, run: Run | None = None) -> None:
    """Add the changes by the state: failing, held, set aside. ``run``: the one that ended just now, if any."""
    wanted = {found.kind: found for found in _state_findings(change, run)} if change.job.enabled else {}
    for kind in STANDING:
        if is_open(change.state, kind) and kind not in wanted:
            change.ended.add(kind)
        elif kind in wanted and not is_open(change.state, kind):
            change.raised.append(wanted[kind])
    if not change.job.enabled:
        change.ended |= {kind for kind in AlertKind if is_open(change.state, kind)}
        change.silent |= change.ended


def _state_findings(change: Change, run: Run | None) -> Iterator[Finding]:
    state, most = change.state, change.rules.failures
    why = _reason(run) if run is not None else ""
    # Of a chain that is retried without limit, each lost attempt from the third on is a failure.
    lost_often = run is not None and run.status == Status.LOST and run.attempt >= most
    enough = state.failures >= most or lost_often or is_open(state, AlertKind.FAILING)
    if most and state.failing_since is not None and enough:
        args = {"n": state.failures, "since": iso(state.failing_since), "why": why}
        yield Finding(AlertKind.FAILING, iso(state.failing_since), args, run.pk if run else None)
    if state.held_at is not None:
        args = {"token": state.held_by_run, "why": why}
        yield Finding(AlertKind.HELD, iso(state.held_at), args, run.pk if run else None)
    if state.schedule_error and state.next_instant is None and state.schedule_error_since is not None:
        args = {"error": state.schedule_error}
        yield Finding(AlertKind.SET_ASIDE, iso(state.schedule_error_since), args)


def add_run_end(change: Change, run: Run) -> None:
    """Add the changes by the end of a run: it was slow, or a success ends “missed”. Plans a look where needed."""
    state, seconds, limit = change.state, seconds_of(run), change.rules.run
    was_slow = is_open(state, AlertKind.SLOW)
    if not was_slow and limit is not None and seconds is not None and seconds > limit.total_seconds():
        change.raised.append(slow_finding(run, limit))
        was_slow = True
    if was_slow:
        change.ended.add(AlertKind.SLOW)
    is_past = run.origin == Trigger.BACKFILL  # not about the schedule of today
    if run.status == Status.SUCCEEDED and not is_past and is_open(state, AlertKind.MISSED):
        change.ended.add(AlertKind.MISSED)


def add_missed_instants(change: Change, run: Run) -> None:
    """Add that instants were missed, as this skipped run records. Further ones belong to the same episode."""
    if not is_open(change.state, AlertKind.MISSED) and run.scheduled_for and run.covered_until:
        args = {"instant": iso(run.scheduled_for), "until": iso(run.covered_until), "why": _reason(run)}
        change.raised.append(Finding(AlertKind.MISSED, iso(run.scheduled_for), args, run.pk))


def add_backfill_end(change: Change, backfill: Backfill, run: Run | None = None) -> None:
    """Add that this backfill has ended with a failure, or without one, which ends the alert about an earlier one.

    ``run``: the one whose failure has ended it. A backfill that a person has cancelled says nothing.
    """
    if backfill.is_open or backfill.cancelled_at is not None or not change.job.enabled:
        return
    has_failed = bool(backfill.failed or backfill.error)
    if not has_failed and is_open(change.state, AlertKind.BACKFILL):
        change.ended.add(AlertKind.BACKFILL)
    elif has_failed and change.rules.failures and not is_open(change.state, AlertKind.BACKFILL):
        args: dict[str, Any] = {"instant": iso(backfill.first), "until": iso(backfill.last), "n": backfill.failed}
        if run is not None:
            args |= {"token": run.token, "why": _reason(run)}
        if backfill.error:
            args["error"] = backfill.error
        change.raised.append(Finding(AlertKind.BACKFILL, str(backfill.pk), args, run.pk if run else None))


def next_look(change: Change, run: Run | None, now: dt.datetime) -> dt.datetime | None:
    """A time before which no alert has to be raised, nor an open one repeated. ``run``: the open run of the job."""
    state = change.state
    if not change.job.enabled:
        return None
    if any(is_open(state, kind) for kind in EXPECTATIONS):
        return now  # something has changed, which may end them
    moments = [
        *_times_of_lateness(change, run, now),
        *_times_of_slowness(change, run, now),
        coming_deadline(change, now),
    ]
    if state.alerts_open:
        moments.append(state.alert_at)
    return min(filter(None, moments), default=None)


def _times_of_lateness(change: Change, run: Run | None, now: dt.datetime) -> Iterator[dt.datetime]:
    """When the instants that wait to start become late."""
    if change.rules.start is not None:
        since = [*waiting_since(change, run), queued_since(run)]
        yield from (each + change.rules.start for each in since if each is not None)


def waiting_since(change: Change, run: Run | None) -> Iterator[dt.datetime]:
    if change.state.next_run is not None:
        yield change.state.next_run
    if run is not None and run.status == Status.CLAIMED and run.scheduled_for is not None:
        yield run.scheduled_for + jitter(change.job.pk, change.job.jitter_seconds)


def queued_since(run: Run | None) -> dt.datetime | None:
    """The claim of a run for an activation, until it starts. Before its claim, the activation has a time to look."""
    is_queued = run is not None and run.status == Status.CLAIMED and run.trigger == Trigger.EVENT
    return run.claimed_at if run is not None and is_queued else None


def _times_of_slowness(change: Change, run: Run | None, now: dt.datetime) -> Iterator[dt.datetime]:
    if change.rules.run is not None and run is not None:
        yield (run.started_at or now) + change.rules.run


def coming_deadline(change: Change, now: dt.datetime) -> dt.datetime | None:
    if not change.rules.done_by:
        return None
    try:
        return next_deadline(change.rules.done_by, change.job.timezone, now)
    except ScheduleError:  # of a setting; a check reports it
        return None


def slow_finding(run: Run, limit: dt.timedelta) -> Finding:
    args = {"token": run.token, "started": iso(run.started_at), "limit": limit.total_seconds()}
    return Finding(AlertKind.SLOW, str(run.pk), args, run.pk)


def _reason(run: Run) -> str:
    return Reason(run.code or None, run.reason_parameters, run.reason_text).to_text()


def iso(moment: dt.datetime | None) -> str:
    return moment.astimezone(dt.UTC).isoformat() if moment else ""
