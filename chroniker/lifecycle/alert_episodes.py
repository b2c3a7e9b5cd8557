"""Write raised and ended alerts: episodes, their messages, and the marks in the job's state.

The caller holds the states of the jobs and writes them afterwards. The unique key of an episode decides which process
reports it. Without a change nothing is written, and no statement is made.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

from django.db.models import Q

from chroniker.lifecycle import alert_mutes
from chroniker.lifecycle.alert_conditions import Change, Finding
from chroniker.lifecycle.alert_messages import AlertEvent, announce
from chroniker.models import Alert
from chroniker.models.alert import scope_of
from chroniker.models.message_events import RECOVERED

#: The columns of the state that alerts change.
MARKS = ("alert_at", "alerts_open")


def write_changes(changes: Iterable[Change], now: dt.datetime) -> None:
    """A constant number of statements, however many changes; none without a change."""
    changes = [change for change in changes if change]
    if not changes:
        return
    raised = _insert_episodes([(change, found) for change in changes for found in change.raised], now)
    announce_all([AlertEvent(alert, alert.event) for alert in raised if alert.reported_at is not None])
    ended = _end_episodes([change for change in changes if change.ended], now)
    announce_all([AlertEvent(alert, RECOVERED) for alert in ended])


def announce_all(events: Sequence[AlertEvent]) -> None:
    if events:
        announce(events)


def _insert_episodes(found: Sequence[tuple[Change, Finding]], now: dt.datetime) -> list[Alert]:
    """Insert new episodes; returns these. One that ended without a message is opened again."""
    if not found:
        return []
    muted_until = alert_mutes.muted_until({change.job.pk: change.job for change, _finding in found}, now)
    new = [_episode(change, finding, muted_until, now) for change, finding in found]
    Alert.objects.bulk_create(new, ignore_conflicts=True)
    ours = set(Alert.objects.filter(pk__in=[alert.pk for alert in new]).values_list("pk", flat=True))
    if others := [alert for alert in new if alert.pk not in ours]:
        _continue_episodes(others)
    for change, finding in found:
        change.state.alerts_open |= finding.kind.bit
        look_again(change, now, muted_until.get(change.job.pk))
    return [alert for alert in new if alert.pk in ours]


def _episode(change: Change, finding: Finding, muted_until: dict[int, dt.datetime], now: dt.datetime) -> Alert:
    return Alert(
        scope=scope_of(change.job.pk),
        job=change.job,
        kind=finding.kind,
        key=finding.key,
        raised_at=now,
        reported_at=None if change.job.pk in muted_until else now,
        run_id=finding.run_id,
        args=finding.args,
    )


def look_again(change: Change, now: dt.datetime, muted_until: dt.datetime | None) -> None:
    """Bring the next look forward: to the repetition of its messages, or to the end of the mute."""
    repeated = now + change.rules.repeat if change.rules.repeat else None
    moments = [change.state.alert_at, muted_until or repeated]
    change.state.alert_at = min(filter(None, moments), default=None)


def _continue_episodes(alerts: Sequence[Alert]) -> None:
    """These episodes have a row already: of another process, or one that has ended."""
    same = Q()
    for alert in alerts:
        same |= Q(scope=alert.scope, kind=alert.kind, key=alert.key)
    Alert.objects.filter(same, ended_at__isnull=False).update(ended_at=None)


def _end_episodes(changes: Sequence[Change], now: dt.datetime) -> list[Alert]:
    """End the open episodes of these kinds; returns those whose end is to be reported."""
    if not changes:
        return []
    jobs = {change.job.pk: change for change in changes}
    found = Alert.objects.filter(job__in=list(jobs), ended_at=None)
    ended = [alert for alert in found.order_by("pk") if alert.kind in jobs[alert.job_id or 0].ended]
    Alert.objects.filter(pk__in=[alert.pk for alert in ended]).update(ended_at=now)
    for change in changes:
        for kind in change.ended:
            change.state.alerts_open &= ~kind.bit
    for alert in ended:
        change = jobs[alert.job_id or 0]
        alert.ended_at, alert.job = now, change.job
    return [
        alert for alert in ended if alert.reported_at is not None and alert.kind not in jobs[alert.job_id or 0].silent
    ]
