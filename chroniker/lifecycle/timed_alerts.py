"""The alerts of a job that depend on the time: late, running too long, not done by its deadline. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from chroniker.lifecycle.alert_conditions import (
    Change,
    Finding,
    add_state_changes,
    coming_deadline,
    is_open,
    iso,
    queued_since,
    slow_finding,
    waiting_since,
)
from chroniker.models import AlertKind, JobState, Run, Status
from chroniker.schedule.deadlines import Deadline, latest_deadline

#: While a job is late, and while its due instants are in a blackout, it is looked at again after this time.
AGAIN = dt.timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Situation:
    """The facts that a look at a job needs, besides its state. ``paused``: nothing is expected of it now.

    ``resumed``: lateness counts from here at the earliest. ``in_blackout``: all its due instants are in blackouts.
    ``overdue_for``: the instant of its open alert of that kind. ``requested``: when the oldest activation that waits
    was made.
    """

    run: Run | None = None
    paused: bool = False
    resumed: dt.datetime | None = None
    in_blackout: bool = False
    overdue_for: dt.datetime | None = None
    requested: dt.datetime | None = None


def add_time_changes(change: Change, seen: Situation, now: dt.datetime) -> None:
    """Add everything that time has raised or ended by ``now``, and set the time of the next look."""
    add_state_changes(change)
    if not change.job.enabled:
        change.state.alert_at = None
        return
    moments = [_look_for_lateness(change, seen, now), _look_for_slowness(change, seen, now)]
    moments.append(_look_for_deadline(change, seen, now))
    change.state.alert_at = min(filter(None, moments), default=None)


def _raise_or_end(change: Change, kind: AlertKind, wanted: Finding | None, *, paused: bool = False) -> None:
    if wanted is not None and not is_open(change.state, kind):
        change.raised.append(wanted)
    elif wanted is None and is_open(change.state, kind):
        change.ended.add(kind)
        if paused:
            change.silent.add(kind)


def _look_for_lateness(change: Change, seen: Situation, now: dt.datetime) -> dt.datetime | None:
    state, limit, wanted, moments = change.state, change.rules.start, None, list[dt.datetime]()
    paused = seen.paused or state.held_at is not None
    if limit is None or paused:
        _raise_or_end(change, AlertKind.LATE, None, paused=paused)
        return None
    for since, is_request in _waiting_since(change, seen):
        moments.append(since + limit)
        if moments[-1] <= now:
            moments[-1] = now + AGAIN
            if wanted is None and (is_request or not seen.in_blackout):
                wanted = _late_finding(since, limit, seen.run, is_request=is_request)
    is_queued = queued_since(seen.run) is not None  # its activation may have waited for too long before
    if wanted is not None or not (is_queued and is_open(state, AlertKind.LATE)):
        _raise_or_end(change, AlertKind.LATE, wanted)
    return min(moments, default=None)


def _waiting_since(change: Change, seen: Situation) -> Iterator[tuple[dt.datetime, bool]]:
    """Yields the time since which an instant waits, and that of a request, each with whether it is a request."""
    scheduled, queued = min(waiting_since(change, seen.run), default=None), queued_since(seen.run)
    requested = min(filter(None, [seen.requested, queued]), default=None)
    for since, is_request in ((scheduled, False), (requested, True)):
        if since is not None:
            yield max(filter(None, [since, seen.resumed, change.state.resumed_at])), is_request


def _late_finding(since: dt.datetime, limit: dt.timedelta, run: Run | None, *, is_request: bool) -> Finding:
    args = {"since" if is_request else "instant": iso(since), "until": iso(since + limit)}
    key = f"request {iso(since)}" if is_request else iso(since)
    return Finding(AlertKind.LATE, key, args, run.pk if run and run.status == Status.CLAIMED else None)


def _look_for_slowness(change: Change, seen: Situation, now: dt.datetime) -> dt.datetime | None:
    run, limit, wanted, again = seen.run, change.rules.run, None, None
    if limit is not None and run is not None:
        again = (run.started_at or now) + limit
        if again <= now:
            wanted, again = slow_finding(run, limit), None
    _raise_or_end(change, AlertKind.SLOW, wanted)
    return again


def _look_for_deadline(change: Change, seen: Situation, now: dt.datetime) -> dt.datetime | None:
    wanted, state, paused = None, change.state, seen.paused
    if change.rules.done_by and not paused:
        if is_open(state, AlertKind.OVERDUE) and seen.overdue_for is not None:
            wanted = None if _is_done(state, seen.overdue_for) else _overdue_finding(seen.overdue_for, now)
        elif (latest := _latest_deadline(change, now)) and _is_missed(state, latest, seen.resumed):
            assert latest.instant is not None
            wanted = _overdue_finding(latest.instant, latest.at)
    _raise_or_end(change, AlertKind.OVERDUE, wanted, paused=paused)
    return None if paused else coming_deadline(change, now)


def _latest_deadline(change: Change, now: dt.datetime) -> Deadline | None:
    job = change.job
    try:
        return latest_deadline(change.rules.done_by, job.spec, job.closed_times, now)
    except Exception:  # an error of one schedule concerns this job alone; booking or a claim reports it
        return None


def _is_missed(state: JobState, latest: Deadline, resumed: dt.datetime | None) -> bool:
    if latest.instant is None or (resumed is not None and resumed > latest.at):
        return False
    was_expected = state.expected_since is None or latest.instant > state.expected_since
    return was_expected and not _is_done(state, latest.instant)


def _is_done(state: JobState, instant: dt.datetime) -> bool:
    return state.done_until is not None and state.done_until >= instant


def _overdue_finding(instant: dt.datetime, deadline: dt.datetime) -> Finding:
    return Finding(AlertKind.OVERDUE, iso(deadline), {"instant": iso(instant), "deadline": iso(deadline)})
