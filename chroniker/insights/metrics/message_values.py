"""The metrics that count rows by kind: messages, alerts, events of runs, requests, pauses. One statement: a union."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from django.db.models import Case, CharField, Count, DateTimeField, F, Min, QuerySet, Value, When
from django.db.models.functions import Cast

from chroniker.conf import settings
from chroniker.eligibility import pauses
from chroniker.insights.metrics.families import Samples
from chroniker.models import Activation, Alarm, Alert, AlertKind, EventKind, Group, Outbox, RunEvent, Switch
from chroniker.models.message_events import ALARM_EVENTS
from chroniker.outbox import channels

DAY = dt.timedelta(days=1)
MESSAGE_KINDS = (channels.MAIL, channels.WEBHOOK, channels.CALLBACK, channels.DATABASE_CHANNEL_KIND)
#: By the beginning of a channel's name.
_KINDS_BY_CHANNEL_PREFIX = {**{kind: kind for kind in MESSAGE_KINDS}, channels.MAIL_ADDRESS_KIND: channels.MAIL}
#: Alarms about the scheduler, and alerts about jobs.
ALERT_KINDS = (*ALARM_EVENTS, *AlertKind.values)
PAUSE_SCOPES = ("all", "group")

_NULL_TIME_EXPRESSION = Cast(Value(None), DateTimeField())


def read_message_samples(now: dt.datetime) -> Samples:
    first, *others = _counting_queries(now)
    rows: dict[str, dict[str, tuple[int, dt.datetime | None]]] = defaultdict(dict)
    for what, kind, number, since in first.union(*others, all=True):
        rows[what][kind] = number, since
    if settings.paused:
        rows["paused"]["all"] = 1, None
    kinds = {"outbox_pending": MESSAGE_KINDS, "outbox_given_up": MESSAGE_KINDS, "alerts_open": ALERT_KINDS}
    kinds |= {"events_day": tuple(EventKind.values), "paused": PAUSE_SCOPES}
    none = 0, None
    samples: dict[str, list[tuple[tuple[str, ...], float]]] = {
        what: [((kind.lower(),), float(rows[what].get(kind, none)[0])) for kind in known]
        for what, known in kinds.items()
    }
    samples["outbox_oldest_seconds"] = [
        ((kind,), _age_seconds(rows["outbox_pending"].get(kind, none)[1], now)) for kind in MESSAGE_KINDS
    ]
    samples["activations_waiting"] = [((), rows["activations_waiting"].get("", none)[0])]
    return samples


def _age_seconds(since: dt.datetime | None, now: dt.datetime) -> float:
    return max(0.0, (now - since).total_seconds()) if since else 0.0


def _counting_queries(now: dt.datetime) -> list[QuerySet[Any, Any]]:
    """Each by an index: of messages that are not sent, open alarms, the events of a day, and the few groups."""
    unsent = Outbox.objects.filter(sent_at=None)
    alarms = Alarm.objects.filter(raised_at__isnull=False)
    return [
        _counting_query(
            "outbox_pending",
            unsent.filter(send_at__isnull=False),
            _label_by_prefix("channel", _KINDS_BY_CHANNEL_PREFIX),
            Min("send_at"),
        ),
        _counting_query(
            "outbox_given_up", unsent.filter(send_at=None), _label_by_prefix("channel", _KINDS_BY_CHANNEL_PREFIX)
        ),
        _counting_query("alerts_open", alarms, _label_by_prefix("subject", {kind: kind for kind in ALARM_EVENTS})),
        _counting_query("alerts_open", Alert.objects.filter(ended_at=None), F("kind")),
        _counting_query("activations_waiting", Activation.objects.filter(ended_at=None), Value("", CharField())),
        _counting_query("events_day", RunEvent.objects.filter(at__gt=now - DAY, kind__in=EventKind.values), F("kind")),
        _counting_query(
            "paused",
            Switch.objects.filter(pauses.all_jobs_paused_condition(), pk=pauses.SWITCH_ID),
            Value("all", CharField()),
        ),
        _counting_query("paused", Group.objects.filter(paused_at__isnull=False), Value("group", CharField())),
    ]


def _counting_query(
    metric: str, rows: QuerySet[Any], label: Any, since: Any = _NULL_TIME_EXPRESSION
) -> QuerySet[Any, Any]:
    named = rows.order_by().annotate(what=Value(metric, CharField()), of=label).values("what", "of")
    counted: QuerySet[Any, Any] = named.annotate(n=Count("pk"), since=since).values_list("what", "of", "n", "since")
    return counted


def _label_by_prefix(column: str, labels_by_prefix: Mapping[str, str]) -> Case:
    cases = [
        When(**{f"{column}__startswith": beginning}, then=Value(kind)) for beginning, kind in labels_by_prefix.items()
    ]
    return Case(*cases, default=Value(""), output_field=CharField())
