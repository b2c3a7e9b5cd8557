"""The alerts of a job that depend on the time: late, running too long, not done by its deadline. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from chroniker.lifecycle.alert_conditions import (
    AlertChanges,
    AlertFinding,
    add_alert_changes_from_state,
    claim_time_of_queued_activation,
    find_due_times_without_started_run,
    format_as_utc_iso,
    is_alert_open,
    make_slow_finding,
    next_deadline_of_job,
)
from chroniker.models import AlertKind, JobState, Run, Status
from chroniker.schedule.deadlines import Deadline, latest_deadline

#: While a job is late, and while its due instants are in a blackout, it is checked again after this time.
RECHECK_INTERVAL = dt.timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class AlertFacts:
    """The facts, besides the state, from which a job's alerts are computed.

    ``is_paused``: the job is not expected to run now. ``resumed_at``: lateness counts from this time at the earliest.
    ``is_in_blackout``: all its due instants are in blackouts. ``overdue_instant``: the instant of its open alert
    “overdue”. ``oldest_request_at``: when its oldest activation was made.
    """

    open_run: Run | None = None
    is_paused: bool = False
    resumed_at: dt.datetime | None = None
    is_in_blackout: bool = False
    overdue_instant: dt.datetime | None = None
    oldest_request_at: dt.datetime | None = None


def add_time_based_alert_changes(changes: AlertChanges, facts: AlertFacts, now: dt.datetime) -> None:
    """Add the alerts that time alone has raised or ended by ``now``, and set the time of the next check."""
    add_alert_changes_from_state(changes)
    if not changes.job.enabled:
        changes.state.alert_at = None
        return
    moments = [_add_lateness_changes(changes, facts, now), _add_slowness_changes(changes, facts, now)]
    moments.append(_add_deadline_changes(changes, facts, now))
    changes.state.alert_at = min(filter(None, moments), default=None)


def _raise_or_end_alert(
    changes: AlertChanges, kind: AlertKind, wanted: AlertFinding | None, *, paused: bool = False
) -> None:
    if wanted is not None and not is_alert_open(changes.state, kind):
        changes.raised.append(wanted)
    elif wanted is None and is_alert_open(changes.state, kind):
        changes.ended.add(kind)
        if paused:
            changes.ended_without_message.add(kind)


def _add_lateness_changes(changes: AlertChanges, facts: AlertFacts, now: dt.datetime) -> dt.datetime | None:
    state, limit, wanted, moments = changes.state, changes.rules.late_after, None, list[dt.datetime]()
    paused = facts.is_paused or state.held_at is not None
    if limit is None or paused:
        _raise_or_end_alert(changes, AlertKind.LATE, None, paused=paused)
        return None
    for since, is_request in _find_waiting_instant_and_request(changes, facts):
        moments.append(since + limit)
        if moments[-1] <= now:
            moments[-1] = now + RECHECK_INTERVAL
            if wanted is None and (is_request or not facts.is_in_blackout):
                wanted = _make_late_finding(since, limit, facts.open_run, is_request=is_request)
    # Its activation may have waited for too long before.
    is_queued = claim_time_of_queued_activation(facts.open_run) is not None
    if wanted is not None or not (is_queued and is_alert_open(state, AlertKind.LATE)):
        _raise_or_end_alert(changes, AlertKind.LATE, wanted)
    return min(moments, default=None)


def _find_waiting_instant_and_request(changes: AlertChanges, facts: AlertFacts) -> Iterator[tuple[dt.datetime, bool]]:
    """Yields (since when it waits, is it a request) for the waiting instant and the waiting request, if there are
    any."""
    scheduled, queued = (
        min(find_due_times_without_started_run(changes, facts.open_run), default=None),
        claim_time_of_queued_activation(facts.open_run),
    )
    requested = min(filter(None, [facts.oldest_request_at, queued]), default=None)
    for since, is_request in ((scheduled, False), (requested, True)):
        if since is not None:
            yield max(filter(None, [since, facts.resumed_at, changes.state.resumed_at])), is_request


def _make_late_finding(since: dt.datetime, limit: dt.timedelta, run: Run | None, *, is_request: bool) -> AlertFinding:
    args = {"since" if is_request else "instant": format_as_utc_iso(since), "until": format_as_utc_iso(since + limit)}
    key = f"request {format_as_utc_iso(since)}" if is_request else format_as_utc_iso(since)
    return AlertFinding(AlertKind.LATE, key, args, run.pk if run and run.status == Status.CLAIMED else None)


def _add_slowness_changes(changes: AlertChanges, facts: AlertFacts, now: dt.datetime) -> dt.datetime | None:
    run, limit, wanted, again = facts.open_run, changes.rules.slow_after, None, None
    if limit is not None and run is not None:
        again = (run.started_at or now) + limit
        if again <= now:
            wanted, again = make_slow_finding(run, limit), None
    _raise_or_end_alert(changes, AlertKind.SLOW, wanted)
    return again


def _add_deadline_changes(changes: AlertChanges, facts: AlertFacts, now: dt.datetime) -> dt.datetime | None:
    wanted, state, paused = None, changes.state, facts.is_paused
    if changes.rules.done_by and not paused:
        if is_alert_open(state, AlertKind.OVERDUE) and facts.overdue_instant is not None:
            wanted = (
                None
                if _is_instant_done(state, facts.overdue_instant)
                else _make_overdue_finding(facts.overdue_instant, now)
            )
        elif (latest := _latest_deadline_of_job(changes, now)) and _is_deadline_missed(state, latest, facts.resumed_at):
            assert latest.instant is not None
            wanted = _make_overdue_finding(latest.instant, latest.at)
    _raise_or_end_alert(changes, AlertKind.OVERDUE, wanted, paused=paused)
    return None if paused else next_deadline_of_job(changes, now)


def _latest_deadline_of_job(changes: AlertChanges, now: dt.datetime) -> Deadline | None:
    job = changes.job
    try:
        return latest_deadline(changes.rules.done_by, job.spec, job.closed_times, now)
    except Exception:  # an error of one schedule concerns this job alone; booking or a claim reports it
        return None


def _is_deadline_missed(state: JobState, deadline: Deadline, resumed: dt.datetime | None) -> bool:
    if deadline.instant is None or (resumed is not None and resumed > deadline.at):
        return False
    was_expected = state.expected_since is None or deadline.instant > state.expected_since
    return was_expected and not _is_instant_done(state, deadline.instant)


def _is_instant_done(state: JobState, instant: dt.datetime) -> bool:
    return state.done_until is not None and state.done_until >= instant


def _make_overdue_finding(instant: dt.datetime, deadline: dt.datetime) -> AlertFinding:
    return AlertFinding(
        AlertKind.OVERDUE,
        format_as_utc_iso(deadline),
        {"instant": format_as_utc_iso(instant), "deadline": format_as_utc_iso(deadline)},
    )
