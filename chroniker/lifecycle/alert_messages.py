"""Messages about alerts: written in the transaction that raises or ends them, sent later by the outbox."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings as django_settings
from django.db.models import Max
from django.utils import translation

from chroniker.clock.database_clock import database_now
from chroniker.job_commands.secret_masking import mask_secrets
from chroniker.lifecycle.recipients import Recipients, load_recipients
from chroniker.models import Alert, Channel, ChannelKind, Job, Outbox
from chroniker.models.base import uuid7
from chroniker.models.message_events import ALERT_DIGEST_EVENT, ALERT_RECOVERED_EVENT
from chroniker.outbox.channels import configured_webhooks

#: If one call has more alerts than this for one channel, they become one message, the digest.
MAX_ALERTS_BEFORE_DIGEST = 10
#: The digest names at most this many alerts, and counts the others.
MAX_ALERTS_IN_DIGEST = 20


@dataclass(frozen=True, slots=True)
class AlertEvent:
    """``event``: ``alert.KIND`` if the alert was raised or is repeated, ``alert.recovered`` if it has ended."""

    alert: Alert
    event: str


@dataclass(frozen=True, slots=True)
class _MessageRecipient:
    key: str  #: the value of ``Outbox.channel``
    name: str
    allows_digest: bool  #: many alerts become one message


def write_alert_messages(events: Sequence[AlertEvent]) -> None:
    """Write the messages about these alerts, within the caller's transaction.

    The recipients are the channels of the job, else of its group, else the default channels; and the webhooks of the
    settings. Only recipients of the first message get a message about the end. A constant number of statements; at most
    two if there is no recipient at all.
    """
    hooks = {hook.channel: hook for hook in configured_webhooks()}
    if not events or not (hooks or Channel.objects.exists()):
        return
    now = database_now()
    jobs = _load_jobs(events)
    found = load_recipients([job.pk for job in jobs.values()], {job.group_id for job in jobs.values()})
    earlier = _read_last_sequence_numbers([each.alert for each in events])
    by_addressee: dict[_MessageRecipient, list[AlertEvent]] = defaultdict(list)
    for each in events:
        informed = {channel for channel, _event in earlier[each.alert.pk]}
        for addressee in _find_recipients_of_event(each, jobs.get(each.alert.job_id), found, hooks):
            if each.event != ALERT_RECOVERED_EVENT or addressee.key in informed:
                by_addressee[addressee].append(each)
    with translation.override(django_settings.LANGUAGE_CODE):
        bodies = {
            (each.alert.pk, each.event): make_alert_message_body(each, jobs.get(each.alert.job_id), now)
            for each in events
        }
    messages = []
    for addressee, own in by_addressee.items():
        messages += _make_messages(addressee, own, bodies, earlier, now)
    Outbox.objects.bulk_create(messages)


def _load_jobs(events: Sequence[AlertEvent]) -> dict[int | None, Job]:
    ids = {each.alert.job_id for each in events if each.alert.job_id is not None}
    rows = Job.objects.filter(pk__in=ids).only("name", "group_id", "owner", "runbook_url", "secrets")
    return {job.pk: job for job in rows.prefetch_related("tags")}


def _read_last_sequence_numbers(alerts: Sequence[Alert]) -> dict[Any, dict[tuple[str, str], int]]:
    """By alert: the last sequence number of each channel and event."""
    found: dict[Any, dict[tuple[str, str], int]] = defaultdict(dict)
    rows = Outbox.objects.filter(alert__in=alerts).order_by().values_list("alert_id", "channel", "event")
    for alert_id, channel, event, last in rows.annotate(last=Max("sequence")):
        found[alert_id][channel, event] = last
    return found


def _find_recipients_of_event(
    alert_event: AlertEvent, job: Job | None, recipients_of_jobs: Recipients, hooks: Mapping[str, Any]
) -> list[_MessageRecipient]:
    channels = recipients_of_jobs.channels_for(
        job.pk if job else None, job.group_id if job else None, alert_event.event
    )
    # PagerDuty closes an incident by its key, so each alert needs an incident of its own.
    chosen = [_MessageRecipient(one.key, one.name, one.kind != ChannelKind.PAGERDUTY) for one in channels]
    return chosen + [
        _MessageRecipient(key, "", True) for key, hook in hooks.items() if alert_event.event in hook.events
    ]


def _make_messages(
    addressee: _MessageRecipient,
    events: Sequence[AlertEvent],
    bodies: Mapping[tuple[Any, str], dict[str, Any]],
    last_sequences: Mapping[Any, Mapping[tuple[str, str], int]],
    now: dt.datetime,
) -> list[Outbox]:
    is_joined = addressee.allows_digest and len(events) > MAX_ALERTS_BEFORE_DIGEST
    digest = _make_digest(addressee, [bodies[each.alert.pk, each.event] for each in events], now) if is_joined else None
    messages = [] if digest is None else [digest]
    for each in events:
        last = last_sequences[each.alert.pk].get((addressee.key, each.event), -1)
        message = Outbox(
            alert=each.alert, channel=addressee.key, event=each.event, sequence=last + 1, is_urgent=True, send_at=now
        )
        if digest is None:
            message.payload = make_payload(addressee.name, bodies[each.alert.pk, each.event])
        else:  # already sent, as a part of the digest: so this recipient gets the message about the end of the alert
            message.send_at, message.sent_at, message.digest = None, now, digest.message_id
            message.payload = make_payload(addressee.name, {})
        messages.append(message)
    return messages


def _make_digest(addressee: _MessageRecipient, bodies: Sequence[dict[str, Any]], now: dt.datetime) -> Outbox:
    named = [{"type": each["type"], **each["data"]} for each in bodies[:MAX_ALERTS_IN_DIGEST]]
    body = {
        "type": ALERT_DIGEST_EVENT,
        "timestamp": _format_as_utc_iso(now),
        "data": {"count": len(bodies), "alerts": named},
    }
    payload = make_payload(addressee.name, body)
    return Outbox(
        channel=addressee.key,
        event=ALERT_DIGEST_EVENT,
        message_id=uuid7(),
        is_urgent=True,
        send_at=now,
        payload=payload,
    )


def make_payload(channel_name: str, body: dict[str, Any]) -> dict[str, Any]:
    """The payload of a message for the channel with this name. For a webhook of the settings, which has no name: the
    body alone."""
    return {"to": channel_name, "body": body} if channel_name else body


def make_alert_message_body(alert_event: AlertEvent, job: Job | None, now: dt.datetime) -> dict[str, Any]:
    """The body of a webhook's message. It is fixed now, so that every attempt sends the same body."""
    alert = alert_event.alert
    return {
        "type": alert_event.event,
        "timestamp": _format_as_utc_iso(now),
        "data": {
            "alert": {
                "id": str(alert.pk),
                "kind": alert.kind,
                "key": alert.key,
                "raised_at": _format_as_utc_iso(alert.raised_at),
                "ended_at": _format_as_utc_iso(alert.ended_at),
                "text": mask_secrets(alert.text, job.secrets) if job else alert.text,
            },
            "job": _make_job_part_of_message_body(job) if job else None,
            "run": str(alert.run_id) if alert.run_id else None,
            "scheduled_for": alert.args.get("instant"),
        },
    }


def _make_job_part_of_message_body(job: Job) -> dict[str, Any]:
    return {
        "id": job.pk,
        "name": job.name,
        "owner": job.owner,
        "runbook_url": job.runbook,
        "tags": [tag.name for tag in job.tags.all()],
    }


def _format_as_utc_iso(moment: Any) -> str | None:
    """The time as text; ``None`` for an expression that was just written: only the database knows its value."""
    return moment.astimezone(dt.UTC).isoformat() if isinstance(moment, dt.datetime) else None
