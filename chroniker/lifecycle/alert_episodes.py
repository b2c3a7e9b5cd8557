"""Write raised and ended alerts: episodes, their messages, and the alert columns in the job's state.

The caller has locked the states of the jobs and writes them afterwards. The unique key of an episode decides which
process reports it. Without a change nothing is written, and no statement is made.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

from django.db.models import Q

from chroniker.lifecycle import alert_mutes
from chroniker.lifecycle.alert_conditions import AlertChanges, AlertFinding
from chroniker.lifecycle.alert_messages import AlertEvent, write_alert_messages
from chroniker.models import Alert
from chroniker.models.alert import alert_scope_of_job
from chroniker.models.message_events import ALERT_RECOVERED_EVENT

#: The columns of the state that alerts change.
ALERT_COLUMNS = ("alert_at", "alerts_open")


def write_alert_changes(all_changes: Iterable[AlertChanges], now: dt.datetime) -> None:
    """Write these changes and their messages. A constant number of statements; none without a change."""
    all_changes = [changes for changes in all_changes if changes]
    if not all_changes:
        return
    raised = _insert_episodes([(changes, found) for changes in all_changes for found in changes.raised], now)
    _write_messages_if_any([AlertEvent(alert, alert.event) for alert in raised if alert.reported_at is not None])
    ended = _end_episodes([changes for changes in all_changes if changes.ended], now)
    _write_messages_if_any([AlertEvent(alert, ALERT_RECOVERED_EVENT) for alert in ended])


def _write_messages_if_any(events: Sequence[AlertEvent]) -> None:
    if events:
        write_alert_messages(events)


def _insert_episodes(
    changes_with_findings: Sequence[tuple[AlertChanges, AlertFinding]], now: dt.datetime
) -> list[Alert]:
    """Insert new episodes; returns them. An episode with the same key that has ended is opened again."""
    if not changes_with_findings:
        return []
    muted_until = alert_mutes.read_mute_end_time_by_job(
        {changes.job.pk: changes.job for changes, _finding in changes_with_findings}, now
    )
    new = [_make_episode(changes, finding, muted_until, now) for changes, finding in changes_with_findings]
    Alert.objects.bulk_create(new, ignore_conflicts=True)
    ours = set(Alert.objects.filter(pk__in=[alert.pk for alert in new]).values_list("pk", flat=True))
    if others := [alert for alert in new if alert.pk not in ours]:
        _reopen_ended_episodes(others)
    for changes, finding in changes_with_findings:
        changes.state.alerts_open |= finding.kind.bit
        move_next_alert_check_earlier(changes, now, muted_until.get(changes.job.pk))
    return [alert for alert in new if alert.pk in ours]


def _make_episode(
    changes: AlertChanges, finding: AlertFinding, muted_until: dict[int, dt.datetime], now: dt.datetime
) -> Alert:
    return Alert(
        scope=alert_scope_of_job(changes.job.pk),
        job=changes.job,
        kind=finding.kind,
        key=finding.key,
        raised_at=now,
        reported_at=None if changes.job.pk in muted_until else now,
        run_id=finding.run_id,
        args=finding.args,
    )


def move_next_alert_check_earlier(changes: AlertChanges, now: dt.datetime, muted_until: dt.datetime | None) -> None:
    """Set the next check of the alerts no later than the repetition of the messages, or than the end of the mute."""
    repeated = now + changes.rules.repeat_after if changes.rules.repeat_after else None
    moments = [changes.state.alert_at, muted_until or repeated]
    changes.state.alert_at = min(filter(None, moments), default=None)


def _reopen_ended_episodes(alerts: Sequence[Alert]) -> None:
    """Open the episodes with these keys again if they have ended. Another process may have inserted their rows."""
    same = Q()
    for alert in alerts:
        same |= Q(scope=alert.scope, kind=alert.kind, key=alert.key)
    Alert.objects.filter(same, ended_at__isnull=False).update(ended_at=None)


def _end_episodes(all_changes: Sequence[AlertChanges], now: dt.datetime) -> list[Alert]:
    """End the open episodes of the ended kinds; returns the episodes whose end must be reported."""
    if not all_changes:
        return []
    jobs: dict[int | None, AlertChanges] = {changes.job.pk: changes for changes in all_changes}
    found = Alert.objects.filter(job__in=list(jobs), ended_at=None)
    ended = [alert for alert in found.order_by("pk") if alert.kind in jobs[alert.job_id].ended]
    Alert.objects.filter(pk__in=[alert.pk for alert in ended]).update(ended_at=now)
    for changes in all_changes:
        for kind in changes.ended:
            changes.state.alerts_open &= ~kind.bit
    for alert in ended:
        changes = jobs[alert.job_id]
        alert.ended_at, alert.job = now, changes.job
    return [
        alert
        for alert in ended
        if alert.reported_at is not None and alert.kind not in jobs[alert.job_id].ended_without_message
    ]
