"""What the start and the end of a run send: messages, written in the same transaction."""

from __future__ import annotations

import datetime as dt

from django.test import override_settings

from chroniker import lifecycle
from chroniker.eligibility import hosts
from chroniker.models import EVERY_HOST, ChannelKind, Outbox, Status
from chroniker.scheduler.manual_runs import run_now
from chroniker.scheduler.tick import tick
from tests.support.channels import a_channel
from tests.support.ended_runs import a_job_with_subscribers, a_subscriber, ended, missed
from tests.support.factories import a_due_job, started

SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="


def messages() -> list[tuple[str, str]]:
    """The channel and the event of each."""
    return list(Outbox.objects.order_by("pk").values_list("channel", "event"))


def test_a_failure_is_reported_to_each_active_subscriber_with_an_address() -> None:
    ann = a_subscriber("ann")
    run = ended(a_job_with_subscribers(ann, a_subscriber("bob", is_active=False)), Status.FAILED)
    [message] = Outbox.objects.all()
    assert (message.run_id, message.channel, message.payload) == (run.pk, f"mail:{ann.pk}", {"to": "ann"})


def test_a_success_is_reported_to_subscribers_only_if_the_job_says_so() -> None:
    ann = a_subscriber("ann")
    for wanted in (False, True):
        for status in (Status.SUCCEEDED, Status.STOPPED):
            ended(a_job_with_subscribers(ann, email_success_to_subscribers=wanted), status)
    assert messages() == [(f"mail:{ann.pk}", "run.succeeded")]


def test_a_missed_time_is_reported_to_subscribers_and_channels() -> None:
    ann, channel = a_subscriber("ann"), a_channel(is_default=True, events=["run.missed"])
    missed(ann)
    assert sorted(messages()) == [(channel.key, "run.missed"), (f"mail:{ann.pk}", "run.missed")]


def test_a_webhook_of_the_settings_gets_the_events_that_it_lists_with_the_times_of_the_run() -> None:
    hooks = [
        {"URL": f"https://example.com/{event}", "SECRET": SECRET, "EVENTS": [event]}
        for event in ("run.failed", "run.lost")
    ]
    with override_settings(CHRONIKER_WEBHOOKS=hooks):
        run = ended(a_job_with_subscribers(), Status.FAILED)
    [message] = Outbox.objects.all()
    assert message.channel.startswith("webhook:example.com:") and message.event == "run.failed"
    assert run.started_at is not None and run.finished_at is not None
    assert message.payload["timestamp"] == message.payload["data"]["finished_at"] == run.finished_at.isoformat()
    assert message.payload["data"]["started_at"] == run.started_at.isoformat()
    assert message.payload["data"]["scheduled_for"] is None


def test_the_callback_is_for_errors_only() -> None:
    with override_settings(CHRONIKER_JOB_ERROR_CALLBACK="project.callbacks.job_failed"):
        for status in (Status.SUCCEEDED, Status.STOPPED, Status.FAILED):
            ended(a_job_with_subscribers(), status)
    assert messages() == [("callback", "run.failed")]


def test_messages_about_a_run_that_timed_out_wait_for_its_last_output() -> None:
    ann, waits = a_subscriber("ann"), []
    for status in (Status.FAILED, Status.TIMED_OUT):
        run = ended(a_job_with_subscribers(ann), status)
        send_at = Outbox.objects.get(run=run).send_at
        assert send_at is not None and run.finished_at is not None
        waits.append(send_at - run.finished_at)
    assert waits == [dt.timedelta(), dt.timedelta(seconds=5)]


def test_of_a_run_on_every_host_only_the_parent_is_reported() -> None:
    ping = a_channel(ChannelKind.PING, is_default=True)
    hosts.record_heartbeat(["default"], host_name="web1")
    job = a_due_job(hostname=EVERY_HOST)
    ann = a_subscriber("ann")
    job.subscribers.add(ann)
    parent, child = tick().claimed
    nonce = started(child, "web1")
    assert messages() == []
    assert lifecycle.finish(child.pk, child.token, nonce, lifecycle.Outcome(Status.FAILED))
    assert messages() == [(f"mail:{ann.pk}", "run.failed"), (ping.key, "run.failed")]
    assert {message.run_id for message in Outbox.objects.all()} == {parent.pk}


def test_a_repeated_start_is_reported_once() -> None:
    ping = a_channel(ChannelKind.PING, is_default=True)
    run = run_now(a_job_with_subscribers(), requested_by="a test")
    nonce = started(run)
    assert lifecycle.start(run.pk, run.token, nonce, host="here", pid=1) is not None
    assert messages() == [(ping.key, "run.started")]
