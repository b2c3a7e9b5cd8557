"""What channels get about a job over time: each alert once, its end once, and nothing more."""

from __future__ import annotations

import datetime as dt
import json
import threading
from collections.abc import Iterator

import pytest
from django.db import connection, connections
from django.test import override_settings

from chroniker import lifecycle, outbox
from chroniker.clock import simulated_time
from chroniker.clock.database_clock import database_now
from chroniker.lifecycle.recipients import load_recipients
from chroniker.models import Alert, Channel, ChannelKind, Group, Job, JobState, Outbox, Status
from chroniker.scheduler import fleet_work, pending_work
from chroniker.scheduler.tick import update_alerts
from tests.support.alert_clock import START, AlertClock, fail, finish
from tests.support.channels import LOCAL, a_channel, an_alert
from tests.support.ended_runs import make_due
from tests.support.factories import a_booked_job, a_job, state_of
from tests.support.message_servers import MailServer, WebServer

pytestmark = [pytest.mark.django_db, pytest.mark.every_database]


@pytest.fixture
def clock() -> Iterator[AlertClock]:
    with simulated_time.simulate_time(), override_settings(CHRONIKER_LOCK_TIMEOUT=86_400, **LOCAL):
        simulated_time.set_simulated_time(START)
        yield AlertClock()


def sent(channel: Channel) -> list[str]:
    return list(Outbox.objects.filter(channel=channel.key).order_by("pk").values_list("event", flat=True))


def test_a_channel_gets_exactly_the_messages_of_the_specification(clock: AlertClock, web_server: WebServer) -> None:
    """A job that fails three times, is late once, and recovers. The messages are posted to a real server."""
    channel, other = a_channel(target=web_server.url, is_default=True), a_channel()
    clock.job(cron="*/10 * * * *", alert_failures=3, alert_start_seconds=120)
    for number in range(1, 5):  # the fourth failure is not reported again
        (run,) = clock.tick(minutes=10 * number).claimed
        finish(run, Status.FAILED)
    assert sent(channel) == ["alert.failing"] == posted(web_server)
    (run,) = clock.tick(minutes=53).claimed  # nothing has ticked for 13 minutes
    clock.at(minutes=53, seconds=1)
    finish(run)
    clock.tick(minutes=53, seconds=2)
    for number in range(6, 9):
        (run,) = clock.tick(minutes=10 * number).claimed
        finish(run)
    assert posted(web_server) == ["alert.failing", "alert.late", "alert.recovered", "alert.recovered"]
    assert sent(channel) == posted(web_server)
    assert sent(other) == [] and not Alert.objects.filter(ended_at=None).exists()
    alerts = [json.loads(each.body)["data"]["alert"] for each in web_server.posts]
    assert alerts[0]["text"].startswith("It has failed 3 times in a row since 2026-03-02 00:10:00 UTC.")
    assert alerts[1]["text"].startswith(
        "It was scheduled for 2026-03-02 00:50:00 UTC and had not started by 2026-03-02 00:52"
    )
    assert sorted(each["kind"] for each in alerts[2:]) == ["failing", "late"]
    assert (
        all(each["ended_at"] for each in alerts[2:])
        and len({each.headers["webhook-id"] for each in web_server.posts}) == 4
    )


def posted(server: WebServer) -> list[str]:
    """The types of the messages that the server has received, after all that are due were sent."""
    outbox.send_due_messages()
    return [json.loads(each.body)["type"] for each in server.posts]


def test_an_alert_is_sent_before_an_older_message_about_a_run(clock: AlertClock, web_server: WebServer) -> None:
    a_channel(target=web_server.url, is_default=True, events=["run.succeeded", "alert.failing"])
    clock.job()
    fail(clock, 1, Status.SUCCEEDED)
    fail(clock, 2)
    assert posted(web_server) == ["alert.failing", "run.succeeded"]


def test_a_slow_run_that_has_ended_opens_and_closes_its_incident(clock: AlertClock) -> None:
    channel = a_channel(is_default=True)
    clock.job(alert_run_seconds=30)
    (run,) = clock.tick(minutes=1).claimed
    lifecycle.start(run.pk, run.token, run.pk, host="here", pid=1)
    clock.at(minutes=3)
    finish(run)
    assert sent(channel) == ["alert.slow", "alert.recovered"]


def test_an_hour_without_the_mail_server_is_one_mail_per_alert_afterwards(
    clock: AlertClock, mail_server: MailServer
) -> None:
    channel = a_channel(ChannelKind.MAIL, "ops@example.com", is_default=True)
    clock.job(alert_start_seconds=10, cron="0 * * * *")
    mail_server.refusing = True
    for minutes in range(61, 121, 5):
        clock.tick(minutes=60, seconds=1)  # claims; nothing starts the run
        clock.tick(minutes=minutes)
        outbox.send_due_messages()
    assert sent(channel) == ["alert.late"] and mail_server.attempts > 1 and not mail_server.mails
    mail_server.refusing = False
    make_due()
    assert outbox.send_due_messages() == 1 and outbox.send_due_messages() == 0
    [mail] = mail_server.mails
    assert mail["To"] == "ops@example.com" and "had not started by 2026-03-02 01:00:10 UTC" in mail.get_content()


@override_settings(CHRONIKER_BATCH_SIZE=10)
def test_a_thousand_late_jobs_are_one_message(clock: AlertClock) -> None:
    channel = a_channel(is_default=True)
    rows = [Job(name=f"job {n}", command="noop", cron="0 * * * *", timezone="UTC") for n in range(1000)]
    Job.objects.bulk_create(rows)
    Job.objects.update(edited_at=START, alert_start_seconds=10)
    for first in range(0, 1000, 250):
        lifecycle.book_next_instants([job.pk for job in rows[first : first + 250]], START)
    now = clock.at(minutes=61)
    assert update_alerts(lambda: now, pending_work.find_pending_work(now))
    [message] = Outbox.objects.filter(channel=channel.key).exclude(send_at=None)
    assert message.event == "alert.digest" and message.payload["body"]["data"]["count"] == 1000


def test_channels_of_the_job_come_before_those_of_its_group_and_the_default_ones(clock: AlertClock) -> None:
    of_job, of_group, default = a_channel(), a_channel(), a_channel(is_default=True)
    group = Group.objects.create(name="night")
    group.channels.add(of_group)
    clock.job(name="own").channels.add(of_job)
    clock.job(name="in the group", group=group)
    clock.job(name="both", group=group).channels.add(of_job)
    clock.job(name="neither")
    for run in clock.tick(minutes=1).claimed:
        finish(run, Status.FAILED)
    got = {channel: set(messages_of(channel)) for channel in (of_job, of_group, default)}
    assert got == {of_job: {"own", "both"}, of_group: {"in the group"}, default: {"neither"}}


def test_a_job_with_its_own_ping_sends_alerts_to_the_default_channels(clock: AlertClock) -> None:
    own, default = a_channel(ChannelKind.PING), a_channel(is_default=True)
    default_ping = a_channel(ChannelKind.PING, is_default=True)
    clock.job().channels.add(own)
    fail(clock, 1)
    assert (sent(own), sent(default)) == (["run.started", "run.failed"], ["alert.failing"])
    assert sent(default_ping) == []


def test_only_the_choices_of_the_given_jobs_and_groups_are_read() -> None:
    """However many other jobs and groups have chosen channels."""
    channel = a_channel()
    jobs = a_job(), a_job()
    groups = Group.objects.create(name="day"), Group.objects.create(name="night")
    for owner in (*jobs, *groups):
        owner.channels.add(channel)
    found = load_recipients([jobs[0].pk], [groups[0].pk, None])
    assert found.channel_ids_by_job == {jobs[0].pk: [channel.pk]}
    assert found.channel_ids_by_group == {groups[0].pk: [channel.pk]}


def messages_of(channel: Channel) -> list[str]:
    """The names of the jobs in its messages."""
    payloads = Outbox.objects.filter(channel=channel.key).values_list("payload", flat=True)
    return [payload["body"]["data"]["job"]["name"] for payload in payloads]


def test_a_job_without_channels_has_alerts_all_the_same(clock: AlertClock) -> None:
    job = clock.job()
    (run,) = clock.tick(minutes=1).claimed
    finish(run, Status.FAILED)
    assert Alert.objects.get().job == job and not Outbox.objects.exists()


def test_jobs_of_a_deleted_group_are_looked_at_again(clock: AlertClock) -> None:
    group = Group.objects.create(name="night", alert_start_seconds=60)
    job = clock.job(cron="0 0 * * *", group=group)
    clock.tick(seconds=1)
    assert state_of(job).alert_at is not None
    group.delete()
    clock.tick(seconds=2)
    assert state_of(job).alert_at is None and Job.objects.get().group is None


@pytest.mark.django_db(transaction=True)
def test_looks_at_once_report_a_job_once() -> None:
    """Several ticks, each with a connection of its own. SQLite lets one after the other write."""
    a_channel(is_default=True)
    job = a_booked_job(cron="0 0 1 1 *", alert_start_seconds=10)
    long_ago = database_now().replace(year=2020)
    JobState.objects.filter(pk=job.pk).update(next_instant=long_ago, next_run=long_ago, alert_at=long_ago)
    barrier = threading.Barrier(4)

    def look() -> None:
        try:
            now = database_now()
            barrier.wait()
            lifecycle.update_due_alerts(now, 10)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=look) for _each in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Outbox.objects.count() == 1 and Alert.objects.count() == 1, connection.vendor


def test_old_messages_that_no_deletion_of_a_run_or_an_alert_deletes() -> None:
    """About alarms and repeats about an open alert: those that were sent, and those that were given up."""
    now = database_now()
    alert = an_alert(a_job())
    for event in ("scheduler.silent", "alert.failing"):
        about = alert if event == "alert.failing" else None
        for sequence, state in enumerate(({"sent_at": now}, {"sent_at": now}, {}, {"send_at": now})):
            Outbox.objects.create(channel="channel:1", event=event, alert=about, sequence=sequence, **state)
    fleet_work.delete_old_records(now + dt.timedelta(days=34))
    assert Outbox.objects.count() == 8
    fleet_work.delete_old_records(now + dt.timedelta(days=36))
    left = Outbox.objects.order_by("pk").values_list("event", "sequence", "send_at")
    waiting = [("scheduler.silent", 3, now), ("alert.failing", 3, now)]
    first = ("alert.failing", 0, None)
    assert list(left) == [waiting[0], first, waiting[1]], "the first message says who gets the end of the alert"
