"""Decides which alerts of a job the end of its run, its claim or its state raises and ends. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from chroniker.conf import settings
from chroniker.exceptions import ScheduleError
from chroniker.lifecycle.job_health import duration_seconds
from chroniker.models import AlertKind, Backfill, Job, JobState, Run, Status, Trigger
from chroniker.models.alert_fields import AlertRules, alert_field_values, alert_rules_of
from chroniker.reasons import Reason
from chroniker.schedule import jitter
from chroniker.schedule.deadlines import next_deadline

#: Alerts that can be computed from the state of a job at any time.
ALERT_KINDS_COMPUTED_FROM_STATE = (AlertKind.FAILING, AlertKind.HELD, AlertKind.SET_ASIDE)
#: Alerts about instants. A pause ends them without a message.
ALERT_KINDS_ABOUT_INSTANTS = (AlertKind.LATE, AlertKind.OVERDUE)


@dataclass(frozen=True, slots=True)
class AlertFinding:
    """A reason to raise an alert. ``args``: the parameters of its text, as JSON values."""

    kind: AlertKind
    key: str
    args: dict[str, Any]
    run_id: UUID | None = None


@dataclass(slots=True)
class AlertChanges:
    """The alerts to raise and to end for one job. The caller writes ``state`` afterwards.

    ``ended_without_message``: those of the ended kinds whose end is not reported.
    """

    state: JobState
    job: Job
    rules: AlertRules
    raised: list[AlertFinding] = field(default_factory=list)
    ended: set[AlertKind] = field(default_factory=set)
    ended_without_message: set[AlertKind] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.raised or self.ended)


def make_alert_changes(states_with_jobs: Iterable[tuple[JobState, Job]]) -> list[AlertChanges]:
    """An empty ``AlertChanges`` for each state with its job. The groups of the jobs should be loaded."""
    defaults, found = settings.alerts, dict[Any, AlertRules]()
    all_changes = []
    for state, job in states_with_jobs:
        own = (*alert_field_values(job), job.group_id)
        if (rules := found.get(own)) is None:
            rules = found[own] = alert_rules_of(job, defaults)
        all_changes.append(AlertChanges(state, job, rules))
    return all_changes


def is_alert_open(state: JobState, kind: AlertKind) -> bool:
    return bool(state.alerts_open & kind.bit)


def add_alert_changes_from_state(changes: AlertChanges, ended_run: Run | None = None) -> None:
    """Add the changes that the state shows: failing, held, schedule error. ``ended_run``: it ended just now."""
    wanted = (
        {found.kind: found for found in _make_findings_from_state(changes, ended_run)} if changes.job.enabled else {}
    )
    for kind in ALERT_KINDS_COMPUTED_FROM_STATE:
        if is_alert_open(changes.state, kind) and kind not in wanted:
            changes.ended.add(kind)
        elif kind in wanted and not is_alert_open(changes.state, kind):
            changes.raised.append(wanted[kind])
    if not changes.job.enabled:
        changes.ended |= {kind for kind in AlertKind if is_alert_open(changes.state, kind)}
        changes.ended_without_message |= changes.ended


def _make_findings_from_state(changes: AlertChanges, ended_run: Run | None) -> Iterator[AlertFinding]:
    state, most = changes.state, changes.rules.failures
    why = _reason_text(ended_run) if ended_run is not None else ""
    # A lost run may be retried without limit: with many lost attempts its chain counts as a failure.
    lost_often = ended_run is not None and ended_run.status == Status.LOST and ended_run.attempt >= most
    enough = state.failures >= most or lost_often or is_alert_open(state, AlertKind.FAILING)
    if most and state.failing_since is not None and enough:
        args = {"n": state.failures, "since": format_as_utc_iso(state.failing_since), "why": why}
        yield AlertFinding(
            AlertKind.FAILING, format_as_utc_iso(state.failing_since), args, ended_run.pk if ended_run else None
        )
    if state.held_at is not None:
        args = {"token": state.held_by_run, "why": why}
        yield AlertFinding(AlertKind.HELD, format_as_utc_iso(state.held_at), args, ended_run.pk if ended_run else None)
    if state.schedule_error and state.next_instant is None and state.schedule_error_since is not None:
        args = {"error": state.schedule_error}
        yield AlertFinding(AlertKind.SET_ASIDE, format_as_utc_iso(state.schedule_error_since), args)


def add_alert_changes_from_run_end(changes: AlertChanges, run: Run) -> None:
    """Add the changes by the end of a run: it was slow, or its success ends the alert “missed”."""
    state, seconds, limit = changes.state, duration_seconds(run), changes.rules.slow_after
    was_slow = is_alert_open(state, AlertKind.SLOW)
    if not was_slow and limit is not None and seconds is not None and seconds > limit.total_seconds():
        changes.raised.append(make_slow_finding(run, limit))
        was_slow = True
    if was_slow:
        changes.ended.add(AlertKind.SLOW)
    is_past = run.origin == Trigger.BACKFILL  # a backfill says nothing about the current schedule
    if run.status == Status.SUCCEEDED and not is_past and is_alert_open(state, AlertKind.MISSED):
        changes.ended.add(AlertKind.MISSED)


def raise_missed_alert(changes: AlertChanges, skipped_run: Run) -> None:
    """Raise the alert that instants were missed, as this skipped run records, unless it is open already."""
    if not is_alert_open(changes.state, AlertKind.MISSED) and skipped_run.scheduled_for and skipped_run.covered_until:
        args = {
            "instant": format_as_utc_iso(skipped_run.scheduled_for),
            "until": format_as_utc_iso(skipped_run.covered_until),
            "why": _reason_text(skipped_run),
        }
        changes.raised.append(
            AlertFinding(AlertKind.MISSED, format_as_utc_iso(skipped_run.scheduled_for), args, skipped_run.pk)
        )


def add_alert_changes_from_backfill_end(
    changes: AlertChanges, backfill: Backfill, failed_run: Run | None = None
) -> None:
    """Raise an alert if this backfill has ended with a failure; else end the alert about an earlier backfill.

    ``failed_run``: the run whose failure has ended the backfill. A backfill that a person has cancelled changes no
    alert.
    """
    if backfill.is_open or backfill.cancelled_at is not None or not changes.job.enabled:
        return
    has_failed = bool(backfill.failed or backfill.error)
    if not has_failed and is_alert_open(changes.state, AlertKind.BACKFILL):
        changes.ended.add(AlertKind.BACKFILL)
    elif has_failed and changes.rules.failures and not is_alert_open(changes.state, AlertKind.BACKFILL):
        args: dict[str, Any] = {
            "instant": format_as_utc_iso(backfill.first),
            "until": format_as_utc_iso(backfill.last),
            "n": backfill.failed,
        }
        if failed_run is not None:
            args |= {"token": failed_run.token, "why": _reason_text(failed_run)}
        if backfill.error:
            args["error"] = backfill.error
        changes.raised.append(
            AlertFinding(AlertKind.BACKFILL, str(backfill.pk), args, failed_run.pk if failed_run else None)
        )


def compute_next_alert_check_time(changes: AlertChanges, open_run: Run | None, now: dt.datetime) -> dt.datetime | None:
    """The earliest time at which an alert may have to be raised, ended or repeated."""
    state = changes.state
    if not changes.job.enabled:
        return None
    if any(is_alert_open(state, kind) for kind in ALERT_KINDS_ABOUT_INSTANTS):
        return now  # something has changed that may end these alerts
    moments = [
        *_compute_lateness_times(changes, open_run, now),
        *_compute_slowness_times(changes, open_run, now),
        next_deadline_of_job(changes, now),
    ]
    if state.alerts_open:
        moments.append(state.alert_at)
    return min(filter(None, moments), default=None)


def _compute_lateness_times(changes: AlertChanges, open_run: Run | None, now: dt.datetime) -> Iterator[dt.datetime]:
    """When the instants that wait to start become late."""
    if changes.rules.late_after is not None:
        since = [*find_due_times_without_started_run(changes, open_run), claim_time_of_queued_activation(open_run)]
        yield from (each + changes.rules.late_after for each in since if each is not None)


def find_due_times_without_started_run(changes: AlertChanges, open_run: Run | None) -> Iterator[dt.datetime]:
    if changes.state.next_run is not None:
        yield changes.state.next_run
    if open_run is not None and open_run.status == Status.CLAIMED and open_run.scheduled_for is not None:
        yield open_run.scheduled_for + jitter(changes.job.pk, changes.job.jitter_seconds)


def claim_time_of_queued_activation(open_run: Run | None) -> dt.datetime | None:
    """The claim time of a run for an activation that has not started. (Before the claim: ``Activation.late_at``.)"""
    is_queued = open_run is not None and open_run.status == Status.CLAIMED and open_run.trigger == Trigger.EVENT
    return open_run.claimed_at if open_run is not None and is_queued else None


def _compute_slowness_times(changes: AlertChanges, open_run: Run | None, now: dt.datetime) -> Iterator[dt.datetime]:
    if changes.rules.slow_after is not None and open_run is not None:
        yield (open_run.started_at or now) + changes.rules.slow_after


def next_deadline_of_job(changes: AlertChanges, now: dt.datetime) -> dt.datetime | None:
    if not changes.rules.done_by:
        return None
    try:
        return next_deadline(changes.rules.done_by, changes.job.timezone, now)
    except ScheduleError:  # the setting is not valid; a check reports it
        return None


def make_slow_finding(run: Run, limit: dt.timedelta) -> AlertFinding:
    args = {"token": run.token, "started": format_as_utc_iso(run.started_at), "limit": limit.total_seconds()}
    return AlertFinding(AlertKind.SLOW, str(run.pk), args, run.pk)


def _reason_text(run: Run) -> str:
    return Reason(run.code or None, run.reason_parameters, run.reason_text).to_text()


def format_as_utc_iso(moment: dt.datetime | None) -> str:
    return moment.astimezone(dt.UTC).isoformat() if moment else ""
