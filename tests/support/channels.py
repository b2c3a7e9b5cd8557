"""Channels and alerts for tests."""

from __future__ import annotations

import itertools
from typing import Any

from chroniker.clock.database_clock import database_now
from chroniker.lifecycle.alert_messages import AlertEvent, write_alert_messages
from chroniker.models import Alert, Channel, ChannelKind, Job
from chroniker.models.alert import alert_scope_of_job
from chroniker.models.message_events import ALERT_RECOVERED_EVENT
from tests.support.message_servers import HOST

_numbers = itertools.count(1)
#: The setting that allows channels to send to the servers of tests.
LOCAL = {"CHRONIKER_CHANNEL_HOSTS": [HOST]}


def a_channel(kind: str = ChannelKind.WEBHOOK, target: str = "https://example.com/x", **fields: Any) -> Channel:
    fields.setdefault("name", f"channel {next(_numbers)}")
    return Channel.objects.create(kind=kind, target=target, **fields)


def an_alert(job: Job, kind: str = "failing", **args: Any) -> Alert:
    now = database_now()
    times = dict.fromkeys(("since", "instant", "until"), now.isoformat())
    values = {"n": 3, "token": 7, **times, **args}
    key = f"key {next(_numbers)}"
    return Alert.objects.create(
        scope=alert_scope_of_job(job.pk), job=job, kind=kind, key=key, raised_at=now, args=values
    )


def raised(*alerts: Alert) -> None:
    write_alert_messages([AlertEvent(alert, f"alert.{alert.kind}") for alert in alerts])


def recovered(*alerts: Alert) -> None:
    for alert in alerts:
        alert.ended_at = database_now()
        alert.save(update_fields=["ended_at"])
    write_alert_messages([AlertEvent(alert, ALERT_RECOVERED_EVENT) for alert in alerts])
