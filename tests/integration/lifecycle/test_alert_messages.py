"""Which channels get messages about alerts, alarms and runs, and how many."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from chroniker.clock.database_clock import database_now
from chroniker.lifecycle import alarms
from chroniker.lifecycle.alert_messages import MAX_ALERTS_BEFORE_DIGEST, MAX_ALERTS_IN_DIGEST
from chroniker.models import ChannelKind, Group, Job, Outbox, Status
from chroniker.models.base import uuid7
from tests.integration.lifecycle.loaded_rows import jobs_of_loaded
from tests.support.channels import a_channel, an_alert, raised, recovered
from tests.support.ended_runs import ended, missed
from tests.support.factories import a_booked_job, a_job

pytestmark = pytest.mark.django_db

HOOK = {"URL": "https://example.com/hook", "SECRET": "s"}


def sent_to() -> list[str]:
    return sorted(str(each.payload.get("to", "")) for each in Outbox.objects.all())


def test_the_channels_of_the_job_come_before_those_of_its_group_and_the_default_ones() -> None:
    a_channel(name="default", is_default=True)
    group = Group.objects.create(name="night")
    group.channels.add(a_channel(name="group"))
    own = a_job(group=group)
    own.channels.add(a_channel(name="job"))
    for job, expected in ((own, "job"), (a_job(group=group), "group"), (a_job(), "default")):
        Outbox.objects.all().delete()
        raised(an_alert(job))
        assert sent_to() == [expected]


def test_nothing_is_written_without_a_channel() -> None:
    alert = an_alert(a_job())
    with CaptureQueriesContext(connection) as queries:
        raised(alert)
    assert not Outbox.objects.exists() and len(queries) == 1


def test_a_channel_gets_only_the_events_that_it_lists() -> None:
    a_channel(name="all", is_default=True)
    a_channel(name="late", is_default=True, events=["alert.late"])
    raised(an_alert(a_job(), "failing"))
    assert sent_to() == ["all"]
    raised(an_alert(a_job(), "late"))
    assert sent_to() == ["all", "all", "late"]


def test_an_end_is_reported_only_to_channels_that_got_the_first_message() -> None:
    a_channel(name="first", is_default=True)
    alert = an_alert(a_job())
    raised(alert)
    a_channel(name="second", is_default=True)
    recovered(alert)
    assert sent_to() == ["first", "first"]
    assert set(Outbox.objects.values_list("event", flat=True)) == {"alert.failing", "alert.recovered"}


def test_an_end_without_a_first_message_is_reported_to_nobody() -> None:
    a_channel(is_default=True)
    recovered(an_alert(a_job()))
    assert not Outbox.objects.exists()


def test_pagerduty_gets_the_end_whatever_its_events_are() -> None:
    a_channel(ChannelKind.PAGERDUTY, "", is_default=True, secret="k", events=["alert.failing"])
    alert = an_alert(a_job())
    raised(alert)
    recovered(alert)
    assert Outbox.objects.count() == 2


def test_a_repeated_alert_is_one_message_more() -> None:
    a_channel(is_default=True)
    alert = an_alert(a_job())
    raised(alert)
    raised(alert)
    assert sorted(Outbox.objects.values_list("sequence", flat=True)) == [0, 1]
    assert len(set(Outbox.objects.values_list("message_id", flat=True))) == 2


def test_two_messages_for_one_event_of_an_alert_are_impossible() -> None:
    channel = a_channel(is_default=True)
    alert = an_alert(a_job())
    raised(alert)
    with pytest.raises(IntegrityError), transaction.atomic():
        Outbox.objects.create(alert=alert, channel=channel.key, event="alert.failing")


def test_many_alerts_of_one_pass_become_one_message_that_names_some_of_them() -> None:
    a_channel(is_default=True)
    jobs = [a_job(name=f"job number {n:03}") for n in range(MAX_ALERTS_IN_DIGEST + 5)]
    alerts = [an_alert(job) for job in jobs]
    raised(*alerts)
    [digest] = Outbox.objects.exclude(send_at=None)
    data = digest.payload["body"]["data"]
    assert digest.event == "alert.digest" and data["count"] == len(jobs)
    assert [each["job"]["name"] for each in data["alerts"]] == [job.name for job in jobs[:MAX_ALERTS_IN_DIGEST]]
    recovered(alerts[0])
    [end] = Outbox.objects.filter(event="alert.recovered")
    assert end.send_at and end.alert_id == alerts[0].pk, "it got the first message, within the digest"


def test_few_alerts_of_one_pass_are_a_message_each() -> None:
    a_channel(is_default=True)
    raised(*[an_alert(a_job()) for _ in range(MAX_ALERTS_BEFORE_DIGEST)])
    assert Outbox.objects.exclude(send_at=None).count() == MAX_ALERTS_BEFORE_DIGEST


def test_a_digest_is_sent_before_messages_about_runs() -> None:
    a_channel(is_default=True)
    raised(*[an_alert(a_job()) for _ in range(MAX_ALERTS_BEFORE_DIGEST + 1)])
    assert Outbox.objects.get(event="alert.digest").is_urgent


@override_settings(CHRONIKER_WEBHOOKS=[HOOK])
def test_a_webhook_of_the_settings_gets_a_digest() -> None:
    raised(*[an_alert(a_job()) for _ in range(MAX_ALERTS_BEFORE_DIGEST + 1)])
    assert [each.event for each in Outbox.objects.exclude(send_at=None)] == ["alert.digest"]


@override_settings(CHRONIKER_WEBHOOKS=[{**HOOK, "EVENTS": ["alert.late"]}])
def test_a_webhook_of_the_settings_gets_only_the_events_that_it_lists() -> None:
    job = a_job()
    for kind in ("failing", "late"):
        raised(an_alert(job, kind))
    [message] = Outbox.objects.all()
    assert message.payload["type"] == message.event == "alert.late"


def test_a_message_names_the_run_if_the_alert_is_about_one() -> None:
    a_channel(is_default=True)
    about_run, about_none = an_alert(a_job()), an_alert(a_job())
    about_run.run_id = run_id = uuid7()
    raised(about_run, about_none)
    found = [each.payload["body"]["data"]["run"] for each in Outbox.objects.order_by("pk")]
    assert found == [str(run_id), None]


def test_other_jobs_are_not_read_for_a_message() -> None:
    a_channel(is_default=True)
    job, _other = a_job(), a_job()
    alert = an_alert(job)
    with jobs_of_loaded(Job, "id") as found:
        raised(alert)
    assert found == {job.pk}


def test_pagerduty_gets_no_digest() -> None:
    a_channel(ChannelKind.PAGERDUTY, "", is_default=True, secret="k")
    raised(*[an_alert(a_job()) for _ in range(MAX_ALERTS_BEFORE_DIGEST + 1)])
    assert Outbox.objects.exclude(send_at=None).count() == MAX_ALERTS_BEFORE_DIGEST + 1


def test_the_number_of_statements_does_not_grow_with_the_alerts() -> None:
    a_channel(is_default=True)
    counts = []
    for number in (1, 30):
        alerts = [an_alert(a_job()) for _ in range(number)]
        with CaptureQueriesContext(connection) as queries:
            raised(*alerts)
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 8


@override_settings(CHRONIKER_WEBHOOKS=[{**HOOK, "EVENTS": []}])
def test_a_webhook_of_the_settings_with_an_empty_list_of_events_gets_all() -> None:
    raised(an_alert(a_job()))
    ended(a_booked_job(), Status.SUCCEEDED)
    assert sorted(Outbox.objects.values_list("event", flat=True)) == ["alert.failing", "run.succeeded"]


@override_settings(ADMINS=[])
def test_alarms_about_the_scheduler_go_to_the_default_channels() -> None:
    a_channel(name="ops", is_default=True)
    a_channel(name="runs", is_default=True, events=["run.failed"])
    now = database_now()
    assert alarms.tick_alarm_has_recipients()
    assert alarms.raise_alarm(alarms.TICK_ALARM_SUBJECT, now, alarms.AlarmText("Nothing ticks.", "Start it."), now)
    [alarm] = alarms.read_raised_alarms().values()
    assert alarms.end_alarm(alarm, alarms.AlarmText("It ticks again.", ""), now)
    assert sent_to() == ["ops", "ops"]
    assert [each.payload["body"]["type"] for each in Outbox.objects.order_by("pk")] == [
        "scheduler.silent",
        "scheduler.back",
    ]


def test_channels_get_the_ends_of_runs_that_they_list() -> None:
    a_channel(name="failed", is_default=True, events=["run.failed", "run.missed"])
    a_channel(name="alerts", is_default=True)
    for status in (Status.SUCCEEDED, Status.FAILED):
        ended(a_booked_job(), status)
    missed()
    about_runs = Outbox.objects.exclude(run=None)
    assert [each.payload["to"] for each in about_runs] == ["failed", "failed"]


def _statements_of_a_run() -> int:
    job = a_booked_job()
    with CaptureQueriesContext(connection) as queries:
        ended(job, Status.SUCCEEDED)
    return len(queries)


def test_a_run_without_channels_costs_no_statement_for_them() -> None:
    before = _statements_of_a_run()
    a_channel(is_default=True)  # for alerts
    other: Job = a_job()
    other.channels.add(a_channel(events=["run.succeeded"]))
    other.channels.add(a_channel(ChannelKind.PING))
    assert _statements_of_a_run() == before


@pytest.mark.parametrize("secret", ["hunter2-secret"])
def test_the_secrets_of_a_job_are_masked_in_alerts_and_runs(secret: str, settings: Any) -> None:
    settings.SHOP_TOKEN = secret
    a_channel(is_default=True, events=["alert.set_aside", "run.failed"])
    job = a_booked_job(secrets="TOKEN=setting:SHOP_TOKEN")
    raised(an_alert(job, "set_aside", error=f"no {secret}"))
    ended(job, Status.FAILED, reason=f"bad {secret}")
    assert Outbox.objects.count() == 2
    assert not any(secret in str(each.payload) for each in Outbox.objects.all())
