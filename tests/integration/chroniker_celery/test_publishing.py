"""Batches of messages: each equals a message of Celery's own ``send_task``."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from uuid import UUID, uuid4

import pytest
from celery import Celery
from celery.signals import after_task_publish, before_task_publish
from kombu import Connection, Queue
from kombu.exceptions import OperationalError

from chroniker_celery.publish import TASK_NAME, RunMessage, publish
from tests.celeryapp import app
from tests.integration.chroniker_celery.conftest import TIMEOUT
from tests.support.brokers import Broker
from tests.support.servers.base import free_port

pytestmark = pytest.mark.celery

#: Headers that name the sender and the time, or that differ for each message.
VOLATILE = {"origin", "delivery_tag", "redelivered", "message_count", "reply_to", "ignore_result"}


@pytest.fixture
def link(broker: Broker) -> Iterator[Connection]:
    with app.connection_for_read() as link:
        yield link


def received(link: Connection, queue: str) -> list[dict[str, Any]]:
    """All messages in a queue."""
    channel: Any = link.channel()
    bound = app.amqp.queues[queue](channel)
    bound.declare()
    found = []
    while (message := bound.get(no_ack=True)) is not None:
        parts = {
            "body": message.payload,
            "type": (message.content_type, message.content_encoding),
            "headers": message.headers,
            **message.properties,
            **message.delivery_info,
        }
        parts.update(parts.pop("delivery_info", {}))
        parts.pop("application_headers", None)  # RabbitMQ's name for the headers
        parts["headers"] = {key: value for key, value in parts["headers"].items() if key not in VOLATILE}
        found.append({key: value for key, value in parts.items() if key not in VOLATILE})
    channel.close()
    return found


@pytest.mark.parametrize(("queue", "priority"), [("", None), ("chosen", 3), ("", 9)])
def test_a_message_is_equal_to_a_message_of_send_task(link: Connection, queue: str, priority: int | None) -> None:
    run_id = uuid4()
    options: dict[str, Any] = {"queue": queue} if queue else {}
    if priority is not None:
        options["priority"] = priority
    app.send_task(TASK_NAME, (str(run_id), 7), task_id=str(run_id), **options)
    assert publish(app, [RunMessage(run_id, 7, queue, priority)], timeout=TIMEOUT) == {
        run_id: queue or app.conf.task_default_queue
    }
    theirs, ours = received(link, queue or app.conf.task_default_queue)
    assert ours == theirs


def test_messages_arrive_in_order_in_their_queues(link: Connection) -> None:
    messages = [RunMessage(uuid4(), number, "odd" if number % 2 else "") for number in range(2500)]
    assert set(publish(app, messages, timeout=TIMEOUT)) == {message.run_id for message in messages}
    for queue in ("odd", ""):
        wanted = [str(message.run_id) for message in messages if message.queue == queue]
        assert [each["correlation_id"] for each in received(link, queue or app.conf.task_default_queue)] == wanted


def test_a_missing_queue_prevents_only_its_own_messages(link: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app.amqp.queues, "create_missing", False)
    lost, sent = RunMessage(uuid4(), 1, "nowhere"), RunMessage(uuid4(), 1)
    assert publish(app, [lost, sent], timeout=TIMEOUT) == {sent.run_id: app.conf.task_default_queue}
    assert len(received(link, app.conf.task_default_queue)) == 1


def test_a_refused_queue_prevents_only_its_own_messages(link: Connection, broker: Broker) -> None:
    if broker.name == "redis":
        return  # it refuses none
    name = f"refused-{uuid4()}"
    channel = link.channel()
    Queue(name, durable=False, exclusive=True, channel=channel).declare()
    lost, sent = RunMessage(uuid4(), 1, name), RunMessage(uuid4(), 1)
    assert publish(app, [lost, sent], timeout=TIMEOUT) == {sent.run_id: app.conf.task_default_queue}
    assert len(received(link, app.conf.task_default_queue)) == 1


def test_celerys_signals_and_events_are_sent(broker: Broker) -> None:
    sent_signals: list[tuple[str, str]] = []
    run_id = uuid4()

    def before(headers: dict[str, Any], **kwargs: Any) -> None:
        sent_signals.append(("before", headers["id"]))

    def after(headers: dict[str, Any], **kwargs: Any) -> None:
        sent_signals.append(("after", headers["id"]))

    own = Celery("own", set_as_current=False, fixups=[])
    own.conf.update(broker_url=broker.url, task_send_sent_event=True)
    before_task_publish.connect(before, sender=TASK_NAME)
    after_task_publish.connect(after, sender=TASK_NAME)
    try:
        with own.connection_for_read() as link:
            events = own.events.Receiver(
                link, handlers={"task-sent": lambda event: sent_signals.append(("task-sent", event["uuid"]))}
            )
            with events.consumer_context() as (reading, _channel, _consumers):
                with suppress(TimeoutError):  # Redis subscribes at the first poll
                    reading.drain_events(timeout=0.5)
                publish(own, [RunMessage(run_id, 1)], timeout=TIMEOUT)
                while len(sent_signals) < 3:
                    reading.drain_events(timeout=TIMEOUT)
    finally:
        before_task_publish.disconnect(before, sender=TASK_NAME)
        after_task_publish.disconnect(after, sender=TASK_NAME)
    assert sent_signals == [(what, str(run_id)) for what in ("before", "after", "task-sent")]


def test_an_unreachable_broker_is_an_error(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app.conf, "broker_url", broker.url.replace(str(broker.server.port), str(free_port())))
    with pytest.raises(OperationalError):
        publish(app, [RunMessage(UUID(int=1), 1)], timeout=5)
