"""A scheduler that does not tick, and a queue without a worker, are reported once, and once when it is over."""

from __future__ import annotations

import datetime as dt
import json
import threading
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connections
from django.test import Client, override_settings

from chroniker import outbox
from chroniker.clock import jump_detection
from chroniker.clock.database_clock import database_now
from chroniker.lifecycle import alarms
from chroniker.lifecycle.alarms import tick_alarm_has_recipients
from chroniker.models import Alarm, HostService, Outbox, Ticker
from chroniker.reasons import Code, Reason
from chroniker.scheduler import fleet_work
from chroniker.scheduler.watch import FleetWatch
from tests.integration.scheduler.alarms import a_run_without_worker, a_ticker
from tests.support.ended_runs import a_job_with_subscribers, a_subscriber
from tests.support.message_servers import MailServer, WebServer

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("dummy", "nothing_is_sent")]

MINUTE, HOUR = dt.timedelta(minutes=1), dt.timedelta(hours=1)
OPS = ["ops@example.com"]


def look() -> list[str]:
    """The titles of the messages that a look of a new process wrote."""
    before = set(Outbox.objects.values_list("pk", flat=True))
    FleetWatch(waits_before_first_alarm=False).raise_or_end_alarms()
    return [str(each.payload["title"]) for each in Outbox.objects.exclude(pk__in=before).order_by("pk")]


@override_settings(CHRONIKER_ALARM_EMAILS=OPS)
def test_a_silent_scheduler_is_reported_once_and_its_return_once(mail_server: MailServer) -> None:
    ticker = a_ticker(4 * MINUTE)
    [title] = look()
    assert title.startswith("Nothing has ticked since ") and title.endswith(": no run starts.")
    assert look() == look() == []
    Ticker.objects.filter(pk=ticker.pk).update(last_at=database_now())
    assert look() == ["The scheduler ticks again after 4 min without a tick."]
    assert look() == []
    assert outbox.send_due_messages() == 2
    first, second = mail_server.mails
    assert first["To"] == second["To"] == "ops@example.com"
    text = first.get_content()
    assert "by beat on the host web1 (one tick every 5 s)." in text and "manage.py cronserver" in text
    assert "/admin/chroniker/host/" in text


@override_settings(CHRONIKER_ALARM_EMAILS=OPS)
def test_an_alarm_is_kept_until_a_day_after_its_end() -> None:
    a_ticker(5 * MINUTE)
    now = database_now()
    for last_at in (now - 5 * MINUTE, now, now - 4 * MINUTE):
        Ticker.objects.update(last_at=last_at)
        look()
    again = Alarm.objects.get()
    assert (again.episode, again.since, again.ended_at) == (2, now - 4 * MINUTE, None)
    fleet_work.delete_old_records(now + 25 * HOUR)
    assert Alarm.objects.get().raised_at is not None
    Ticker.objects.update(last_at=now)
    look()
    for hours, kept in ((23, True), (25, False)):
        fleet_work.delete_old_records(now + hours * HOUR)
        assert Alarm.objects.exists() == kept


@override_settings(CHRONIKER_ALARM_EMAILS=OPS)
@pytest.mark.parametrize(
    ("age", "fields"),
    [
        (2 * MINUTE, {}),
        (9 * MINUTE, {"kind": "cron", "period": 240}),
    ],
)
def test_a_scheduler_within_its_time_is_not_reported(age: dt.timedelta, fields: dict[str, Any]) -> None:
    a_ticker(10 * MINUTE, host="another")
    a_ticker(age, **fields)
    assert look() == []


@override_settings(CHRONIKER_ALARM_EMAILS=OPS)
@pytest.mark.parametrize(
    ("age", "fields"),
    [
        (3 * MINUTE, {}),
        (11 * MINUTE, {"kind": "cron", "period": 240}),
    ],
)
def test_a_scheduler_is_silent_after_the_timeout_or_two_and_a_half_of_its_periods(
    age: dt.timedelta, fields: dict[str, Any]
) -> None:
    a_ticker(age, **fields)
    [title] = look()
    assert title.startswith("Nothing has ticked since ")


@override_settings(CHRONIKER_ALARM_EMAILS=OPS)
def test_a_scheduler_that_never_ticked_is_not_reported() -> None:
    assert look() == []


@override_settings(CHRONIKER_ALARM_EMAILS=OPS)
def test_many_processes_that_look_at_once_write_one_message() -> None:
    a_ticker(4 * MINUTE)

    def look_once() -> None:
        FleetWatch(waits_before_first_alarm=False).raise_or_end_alarms()
        connections.close_all()

    threads = [threading.Thread(target=look_once) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Outbox.objects.count() == Alarm.objects.filter(raised_at__isnull=False).count() == 1


@override_settings(CHRONIKER_ALARM_EMAILS=OPS)
def test_a_process_learns_that_another_one_has_raised_or_ended_the_alarm() -> None:
    subject, now, text = alarms.TICK_ALARM_SUBJECT, database_now(), alarms.AlarmText("Nothing ticks.", "Start it.")
    assert [alarms.raise_alarm(subject, now, text, now) for _process in "12"] == [True, False]
    assert Outbox.objects.count() == 1
    alarm = Alarm.objects.get()
    assert [alarms.end_alarm(alarm, text, now) for _process in "12"] == [True, False]
    assert Outbox.objects.count() == 2


@override_settings(CHRONIKER_ALARM_EMAILS=OPS)
def test_silence_counts_from_the_first_look_of_a_process_that_lives_long() -> None:
    """After an outage of the database or of everything, workers may be back before beat."""
    a_ticker(30 * MINUTE)
    watch = FleetWatch()
    watch.raise_or_end_alarms()
    assert not Outbox.objects.exists()
    watch._since = database_now() - 3 * MINUTE
    watch.raise_or_end_alarms()
    assert Outbox.objects.count() == 1
    FleetWatch().raise_or_end_alarms()
    assert Outbox.objects.count() == 1, "a new process does not end the alarm"


@override_settings(CHRONIKER_ALARM_EMAILS=OPS)
def test_silence_does_not_count_before_a_time_without_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    ticker, watch = a_ticker(MINUTE), FleetWatch()
    watch.raise_or_end_alarms()
    watch._since = database_now() - 60 * MINUTE
    Ticker.objects.filter(pk=ticker.pk).update(last_at=database_now() - 30 * MINUTE)
    monkeypatch.setattr(watch, "_looked_at", watch._looked_at - 1800)  # the machine slept
    watch.raise_or_end_alarms()
    assert not Outbox.objects.exists()


@override_settings(CHRONIKER_ALARM_EMAILS=OPS)
def test_nothing_is_reported_while_the_clock_is_not_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    a_ticker(4 * MINUTE)
    monkeypatch.setattr(jump_detection, "suspended_because", lambda: Reason.of(Code.CLOCK_AHEAD, seconds=9))
    assert look() == []


@override_settings(CHRONIKER_ALARM_EMAILS=OPS)
def test_a_queue_without_a_worker_is_reported_once_and_its_return_once() -> None:
    a_ticker(dt.timedelta(seconds=1))
    a_run_without_worker(3 * MINUTE)
    assert look() == ["No worker consumes the queue “slow”."]
    assert look() == []
    HostService.objects.update(queues=["fast", "slow"])
    assert look() == ["The queue “slow” has a worker again, or no run waits in it."]


@override_settings(CHRONIKER_ALARM_EMAILS=OPS)
def test_a_queue_whose_runs_have_just_begun_to_wait_is_not_reported() -> None:
    a_ticker(dt.timedelta(seconds=1))
    a_run_without_worker(MINUTE)
    assert look() == []


@override_settings(ADMINS=[("Ann", "ann@example.com")])
def test_admins_get_the_message_where_no_addresses_are_set() -> None:
    a_ticker(4 * MINUTE)
    look()
    assert [message.payload["to"] for message in Outbox.objects.all()] == ["ann@example.com"]


@override_settings(ADMINS=[])
def test_subscribers_get_the_message_where_there_are_no_admins(mail_server: MailServer) -> None:
    a_job_with_subscribers(a_subscriber("bob"))
    a_job_with_subscribers(a_subscriber("eve"), enabled=False)
    a_ticker(4 * MINUTE)
    look()
    assert outbox.send_due_messages() == 1
    assert mail_server.mails[0]["To"] == "bob@example.com"


@override_settings(ADMINS=[])
def test_an_alarm_without_recipients_is_raised_where_users_have_no_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    a_job_with_subscribers(a_subscriber("bob"))
    monkeypatch.setattr(User, "EMAIL_FIELD", "a field that its model does not have")
    a_ticker(4 * MINUTE)
    assert look() == []
    assert Alarm.objects.get().raised_at is not None


@override_settings(ADMINS=[])
def test_webhooks_get_the_message_if_they_want_the_event(web_server: WebServer) -> None:
    a_ticker(4 * MINUTE)
    hooks = [
        {"URL": web_server.url, "SECRET": "s"},
        {"URL": f"{web_server.url}failed", "SECRET": "s", "EVENTS": ["run.failed"]},
    ]
    with override_settings(CHRONIKER_WEBHOOKS=hooks):
        FleetWatch(waits_before_first_alarm=False).raise_or_end_alarms()
        assert outbox.send_due_messages() == 1
    [post] = web_server.posts
    body = json.loads(post.body)
    assert body["type"] == "scheduler.silent"
    assert body["data"]["title"].startswith("Nothing has ticked since ")
    assert post.headers["webhook-id"] == str(Outbox.objects.get().message_id)


@override_settings(ADMINS=[])
@pytest.mark.parametrize(("event", "expected"), [("scheduler.silent", True), ("scheduler.back", False)])
def test_who_gets_only_the_end_of_the_alarm_is_no_recipient(event: str, expected: bool) -> None:
    hook = {"URL": "https://hooks.example.com/", "SECRET": "s", "EVENTS": [event]}
    with override_settings(CHRONIKER_WEBHOOKS=[hook]):
        assert tick_alarm_has_recipients() == expected


@override_settings(CHRONIKER_ALARM_EMAILS=OPS)
def test_the_page_of_messages_shows_a_message_about_an_alarm(admin: Client) -> None:
    a_ticker(4 * MINUTE)
    look()
    page = admin.get("/admin/chroniker/outbox/").content.decode()
    assert "email to ops@example.com" in page and "Nothing has ticked since" in page
