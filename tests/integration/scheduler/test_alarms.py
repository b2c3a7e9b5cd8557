"""Alarms about the scheduler: each has its own episodes and recipients."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import override_settings

from chroniker import outbox
from chroniker.clock.database_clock import database_now
from chroniker.lifecycle import alarms
from chroniker.lifecycle.alarms import AlarmText
from chroniker.models import Alarm, Outbox
from tests.support.ended_runs import a_job_with_subscribers, a_subscriber

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("dummy", "nothing_is_sent")]

TICK, QUEUE = alarms.TICK_ALARM_SUBJECT, alarms.subject_of_queue_alarm("default", "slow")
TEXT = AlarmText("Nothing ticks.", "Start it.")


def raise_alarm(subject: str, *addresses: str) -> Alarm:
    now = database_now()
    with override_settings(CHRONIKER_ALARM_EMAILS=addresses):
        assert alarms.raise_alarm(subject, now, TEXT, now)
    return Alarm.objects.get(subject=subject)


def end_alarm(alarm: Alarm) -> bool:
    return alarms.end_alarm(alarm, TEXT, database_now())


def recipients() -> list[str]:
    """Those of all messages, in order."""
    return [message.payload["to"] for message in Outbox.objects.order_by("pk")]


def test_an_alarm_is_raised_and_ended_beside_others() -> None:
    over = raise_alarm(alarms.subject_of_queue_alarm("default", "fast"), "ops@example.com")
    assert end_alarm(over)
    tick = raise_alarm(TICK, "ops@example.com")
    assert set(alarms.read_raised_alarms()) == {TICK}
    raise_alarm(QUEUE, "ops@example.com")
    assert end_alarm(tick)
    assert set(alarms.read_raised_alarms()) == {QUEUE}
    assert set(Alarm.objects.values_list("episode", flat=True)) == {1}


def test_the_subject_of_a_long_queue_name_fits_into_its_column() -> None:
    subject = alarms.subject_of_queue_alarm("default", "q" * 200)
    assert len(raise_alarm(subject, "ops@example.com").subject) == 200 == len(subject)


def test_who_has_read_an_earlier_episode_does_not_end_the_present_one() -> None:
    earlier = raise_alarm(TICK, "ops@example.com")
    assert end_alarm(earlier)
    raise_alarm(TICK, "ops@example.com")
    assert not end_alarm(earlier)
    assert set(alarms.read_raised_alarms()) == {TICK}


def test_the_end_is_reported_to_who_got_the_beginning() -> None:
    raise_alarm(QUEUE, "ann@example.com")
    raise_alarm(TICK, "bob@example.com")
    assert end_alarm(Alarm.objects.get(subject=QUEUE))
    assert recipients() == ["ann@example.com", "bob@example.com", "ann@example.com"]


@override_settings(ADMINS=[])
@pytest.mark.parametrize(("event", "n_messages"), [("scheduler.silent", 2), ("scheduler.back", 0)])
def test_the_event_of_the_beginning_decides_who_gets_both_messages(event: str, n_messages: int) -> None:
    hook = {"URL": "https://hooks.example.com/", "SECRET": "s", "EVENTS": [event]}
    with override_settings(CHRONIKER_WEBHOOKS=[hook]):
        alarm = raise_alarm(TICK)
        assert end_alarm(alarm)
    bodies = [message.payload for message in Outbox.objects.order_by("pk")]
    assert [body["type"] for body in bodies] == ["scheduler.silent", "scheduler.back"][:n_messages]
    assert alarm.since is not None and {body["data"]["since"] for body in bodies} <= {alarm.since.isoformat()}


@override_settings(ADMINS=[])
def test_without_addresses_active_subscribers_to_the_errors_of_a_job_get_it() -> None:
    users = [a_subscriber("ann"), a_subscriber("ben", is_active=False)]
    without_address = User.objects.create(username="cem")
    a_job_with_subscribers(*users, without_address)
    a_job_with_subscribers(a_subscriber("eve"), email_errors_to_subscribers=False)
    raise_alarm(TICK)
    assert recipients() == ["ann"]


@override_settings(ADMINS=[])
def test_all_subscribers_get_it_where_users_cannot_be_inactive(monkeypatch: pytest.MonkeyPatch) -> None:
    a_job_with_subscribers(a_subscriber("ann"), a_subscriber("ben", is_active=False))
    fields = [field for field in User._meta.get_fields() if field.name != "is_active"]
    monkeypatch.setattr(User._meta, "get_fields", lambda *_arguments, **_more: fields)
    raise_alarm(TICK)
    assert recipients() == ["ann", "ben"]


@override_settings(ADMINS=[], CHRONIKER_ALARM_EMAILS=["ops@example.com"])
def test_an_alarm_is_sent_before_an_older_message(mail_server: Any) -> None:
    earlier = database_now() - dt.timedelta(minutes=1)
    payload = {"to": "ann@example.com", "title": "Older", "text": ""}
    Outbox.objects.create(channel="address:ann@example.com", payload=payload, send_at=earlier)
    raise_alarm(TICK, "ops@example.com")
    assert outbox.send_due_messages() == 2
    assert [mail["To"] for mail in mail_server.mails] == ["ops@example.com", "ann@example.com"]
