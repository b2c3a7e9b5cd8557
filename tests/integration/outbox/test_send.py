from __future__ import annotations

import datetime as dt
import threading

import pytest
from django.db import connection, connections
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from chroniker import lifecycle, outbox
from chroniker.clock.database_clock import database_now
from chroniker.lifecycle import Outcome
from chroniker.models import Job, Outbox, Run, Status
from chroniker.outbox import delivery
from chroniker.outbox.failing_channels import MAX_ATTEMPTS
from chroniker.scheduler.manual_runs import run_now
from chroniker.scheduler.tick import tick
from tests.support.ended_runs import a_job_with_subscribers, a_subscriber, ended, make_due
from tests.support.factories import started
from tests.support.message_servers import MailServer
from tests.support.processes import wait_until

SECOND = dt.timedelta(seconds=1)


def a_message() -> Outbox:
    ended(a_job_with_subscribers(a_subscriber()), Status.FAILED)
    return Outbox.objects.get()


def test_a_message_claimed_by_another_sender_is_not_sent(mail_server: MailServer) -> None:
    [seen] = delivery._fetch_due_batch() if (message := a_message()) else []
    assert delivery._reserve_message(message)
    assert not delivery._reserve_message(seen), "it was due when this sender looked, and is the other's now"
    assert outbox.send_due_messages() == 0 and not mail_server.mails


def test_a_message_of_a_dead_sender_is_sent_after_its_lease_expires(mail_server: MailServer) -> None:
    message = a_message()
    assert delivery._reserve_message(message)
    left = Outbox.objects.get().send_at
    assert left and delivery.RESERVATION_TIME - 10 * SECOND < left - database_now() <= delivery.RESERVATION_TIME
    make_due()
    assert outbox.send_due_messages() == 1 and len(mail_server.mails) == 1


def test_a_late_report_of_a_sender_does_not_undo_a_sent_message(mail_server: MailServer) -> None:
    late = a_message()
    assert delivery._reserve_message(late)
    make_due()
    assert outbox.send_due_messages() == 1
    delivery._record_message_failure(late, RuntimeError("no answer"))
    message = Outbox.objects.get()
    assert message.sent_at and message.send_at is None and message.error == ""


@pytest.mark.django_db(transaction=True)
def test_concurrent_senders_send_each_message_once(mail_server: MailServer) -> None:
    users = [a_subscriber(f"user{n}") for n in range(12)]
    ended(a_job_with_subscribers(*users), Status.FAILED)
    counts: list[int] = []

    def send() -> None:
        try:
            counts.append(outbox.send_due_messages())
        finally:
            connections.close_all()

    senders = [threading.Thread(target=send) for _ in range(3)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert sum(counts) == len(mail_server.mails) == 12
    assert {mail["To"] for mail in mail_server.mails} == {user.email for user in users}


def test_more_messages_than_one_batch_are_all_sent(mail_server: MailServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "BATCH_SIZE", 2)
    ended(a_job_with_subscribers(*[a_subscriber(f"user{n}") for n in range(5)]), Status.FAILED)
    assert outbox.send_due_messages() == 5


def test_no_message_is_started_after_the_time_limit(mail_server: MailServer) -> None:
    a_message()
    assert outbox.send_due_messages(time_limit=0) == 0 and mail_server.attempts == 0


def test_attempts_have_growing_intervals_and_a_limit(mail_server: MailServer) -> None:
    a_message()
    mail_server.refusing = True
    waits = []
    while Outbox.objects.get().send_at:
        make_due()
        outbox.send_due_messages()
        if send_at := Outbox.objects.get().send_at:
            waits.append(round((send_at - database_now()).total_seconds()))
    assert mail_server.attempts == MAX_ATTEMPTS == 22
    assert waits[:4] == pytest.approx([30, 60, 120, 240], abs=10) and waits[-1] == pytest.approx(6 * 3600, abs=10)
    assert 3 * 86_400 - 7200 < sum(waits) < 3 * 86_400 + 14_400, "about three days"
    message = Outbox.objects.get()
    assert message.sent_at is None and "Come back later" in message.error


def test_an_abandoned_message_can_be_sent_again(mail_server: MailServer) -> None:
    message = a_message()
    Outbox.objects.update(send_at=None, attempts=22, error="no")
    assert outbox.send_due_messages() == 0
    assert outbox.send_messages_again([message.pk]) == 1
    assert outbox.send_due_messages() == 1 and len(mail_server.mails) == 1


def test_a_message_of_an_unknown_channel_is_abandoned() -> None:
    message = a_message()
    Outbox.objects.filter(pk=message.pk).update(channel="pigeon:1")
    outbox.send_due_messages()
    message.refresh_from_db()
    assert message.send_at is None and "pigeon" in message.error


def test_messages_are_deleted_with_their_job(mail_server: MailServer) -> None:
    message = a_message()
    assert message.run is not None
    assert delivery._fetch_due_batch() and Job.objects.filter(pk=message.run.job_id).delete()
    assert not delivery._reserve_message(message) and outbox.send_due_messages() == 0


def test_a_tick_with_nothing_to_send_needs_one_extra_query() -> None:
    ended(a_job_with_subscribers(a_subscriber()), Status.FAILED)
    Outbox.objects.update(sent_at=database_now(), send_at=None)
    tick()  # the first one does the hourly work, too
    with CaptureQueriesContext(connection) as queries:
        tick()
    statements = [query["sql"] for query in queries if "chroniker_outbox" in query["sql"]]
    assert len(statements) == 1


@pytest.mark.django_db(transaction=True)
def test_a_tick_sends_due_messages_in_a_thread_that_closes_its_connection(mail_server: MailServer) -> None:
    a_message()
    tick()
    wait_until(lambda: not outbox.is_sending())
    assert len(mail_server.mails) == 1 and Outbox.objects.get().sent_at


@override_settings(CHRONIKER_PAUSED=True)
@pytest.mark.django_db(transaction=True)
def test_a_pause_does_not_delay_messages(mail_server: MailServer) -> None:
    with override_settings(CHRONIKER_PAUSED=False):
        a_message()
    tick()
    wait_until(lambda: not outbox.is_sending())
    assert len(mail_server.mails) == 1


def test_a_rolled_back_end_sends_no_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run and messages are one transaction: if the messages cannot be written, the run stays open."""
    job = a_job_with_subscribers(a_subscriber())

    def explode(*args: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr("chroniker.lifecycle.close.enqueue_end_messages", explode)
    with pytest.raises(RuntimeError, match="boom"):
        ended(job, Status.FAILED)
    assert Run.objects.get().status == Status.RUNNING and not Outbox.objects.exists()


def test_a_child_run_of_a_run_on_every_host_sends_no_message() -> None:
    job = a_job_with_subscribers(a_subscriber())
    run = run_now(job, requested_by="a test")
    Run.objects.filter(pk=run.pk).update(slot="7")
    lifecycle.finish(run.pk, run.token, started(run), Outcome(Status.FAILED))
    assert not Outbox.objects.exists()
