"""Raise and end alarms about the scheduler itself; write their messages in the same transaction.

Any number of processes may notice the same problem. One conditional UPDATE decides which of them writes the messages,
so each episode is reported once when it begins and once when it ends.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import FieldDoesNotExist
from django.db.models import F

from chroniker.clock.database_clock import NowPlus
from chroniker.conf import settings
from chroniker.lifecycle.alert_messages import make_payload
from chroniker.lifecycle.recipients import load_default_recipients
from chroniker.lifecycle.transactions import transactional
from chroniker.models import Alarm, Job, Outbox
from chroniker.models.message_events import ALARM_EVENTS
from chroniker.outbox.channels import DATABASE_CHANNEL_KIND, MAIL, MAIL_ADDRESS_KIND, configured_webhooks

#: At most so many subscribers get alarms if the settings name no addresses.
MAX_ALARM_SUBSCRIBERS = 50
MAX_CHANNEL_LENGTH = 100

TICK_ALARM_SUBJECT = "tick"


@dataclass(frozen=True, slots=True)
class AlarmText:
    """What the messages say. ``title`` is the subject of mails."""

    title: str
    text: str


def subject_of_queue_alarm(executor: str, queue: str) -> str:
    return f"queue:{executor}:{queue}"[:200]


def read_raised_alarms() -> dict[str, Alarm]:
    """The alarms that are raised now, by subject. One statement."""
    return {alarm.subject: alarm for alarm in Alarm.objects.filter(raised_at__isnull=False)}


@transactional
def raise_alarm(subject: str, since: dt.datetime, text: AlarmText, now: dt.datetime) -> bool:
    """Raise this alarm and write its messages. ``False``: another process has raised it, and nothing was written."""
    Alarm.objects.get_or_create(subject=subject)
    quiet = Alarm.objects.filter(subject=subject, raised_at=None)
    if not quiet.update(raised_at=NowPlus(), episode=F("episode") + 1, since=since, ended_at=None):
        return False
    recipients = _find_alarm_recipients(ALARM_EVENTS[_kind_of_alarm(subject)][0])
    Alarm.objects.filter(subject=subject).update(channels=recipients)
    _write_messages(recipients, ALARM_EVENTS[_kind_of_alarm(subject)][0], subject, since, text, now)
    return True


@transactional
def end_alarm(alarm: Alarm, text: AlarmText, now: dt.datetime) -> bool:
    """End this alarm, and notify the recipients of its first message. ``False``: another process has ended it."""
    ours = Alarm.objects.filter(subject=alarm.subject, episode=alarm.episode, raised_at__isnull=False)
    if not ours.update(raised_at=None, ended_at=NowPlus()):
        return False
    _write_messages(
        alarm.channels, ALARM_EVENTS[_kind_of_alarm(alarm.subject)][1], alarm.subject, alarm.since, text, now
    )
    return True


def tick_alarm_has_recipients() -> bool:
    """Whether the alarm “nothing ticks” has a recipient. At most two statements."""
    return bool(_find_alarm_recipients(ALARM_EVENTS[TICK_ALARM_SUBJECT][0]))


def _kind_of_alarm(subject: str) -> str:
    return subject.partition(":")[0]


def _find_alarm_recipients(event: str) -> list[list[str]]:
    """Pairs of channel and name: the addresses of the setting, or else the subscribers to errors; and the webhooks and
    default channels for this event."""
    addresses = list(dict.fromkeys(settings.alarm_emails))
    mails = [[f"{MAIL_ADDRESS_KIND}:{each}"[:MAX_CHANNEL_LENGTH], each] for each in addresses]
    mails = mails or list(_read_error_subscribers())
    hooks = {hook.channel: hook for hook in configured_webhooks() if event in hook.events}
    channels = [[channel.key, channel.name] for channel in load_default_recipients().channels_for(None, None, event)]
    return [*mails, *([channel, ""] for channel in hooks), *channels]


def _read_error_subscribers() -> Iterable[list[str]]:
    """Active users with an address that are subscribed to the errors of an enabled job."""
    model = get_user_model()
    email = model.get_email_field_name()
    try:
        model._meta.get_field(email)
    except FieldDoesNotExist:
        return
    conditions: dict[str, Any] = {f"subscribers__{email}__gt": ""}
    if any(field.name == "is_active" for field in model._meta.get_fields()):
        conditions["subscribers__is_active"] = True
    rows = Job.objects.filter(enabled=True, email_errors_to_subscribers=True, **conditions).order_by("subscribers")
    found = rows.values_list("subscribers", f"subscribers__{model.USERNAME_FIELD}").distinct()
    for user_id, name in found[:MAX_ALARM_SUBSCRIBERS]:
        yield [f"{MAIL}:{user_id}", str(name)]


def _write_messages(
    recipients: Iterable[Iterable[str]],
    event: str,
    subject: str,
    since: dt.datetime | None,
    text: AlarmText,
    now: dt.datetime,
) -> None:
    data = {"subject": subject, "since": since.isoformat() if since else None, "title": text.title, "text": text.text}
    body = {"type": event, "timestamp": now.astimezone(dt.UTC).isoformat(), "data": data}
    messages = []
    for channel, to in recipients:
        if channel.startswith(f"{DATABASE_CHANNEL_KIND}:"):
            payload = make_payload(to, body)
        else:
            payload = {"to": to, "title": text.title, "text": text.text} if to else body
        messages.append(Outbox(channel=channel, event=event, is_urgent=True, payload=payload, send_at=now))
    Outbox.objects.bulk_create(messages)
