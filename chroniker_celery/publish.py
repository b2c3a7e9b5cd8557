"""Sends messages to the broker, those of a tick together."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID

from celery import Celery
from celery.exceptions import QueueNotFound
from celery.utils.nodenames import anon_nodename

from chroniker.escaping import to_one_line
from chroniker_celery.broker_connection import Connection, open_or_reuse_broker_connection
from chroniker_celery.queues import add_queue_of_host

logger = logging.getLogger(__name__)

TASK_NAME = "chroniker_celery.execute"
#: Control commands of our workers.
WAKE_COMMAND = "chroniker_wake"
UNKNOWN_RUNS_COMMAND = "chroniker_unknown_runs"

#: ``kombu.Producer``: its stubs are of an older version.
Producer: TypeAlias = Any


class RunMessage(NamedTuple):
    """The message for one run."""

    run_id: UUID
    token: int
    queue: str = ""  #: empty: Celery's routing decides
    priority: int | None = None
    host: str = ""  #: the required host; its queue takes precedence over ``queue``
    job_name: str = ""  #: for logs, events, Flower and results. It decides nothing
    stores_result: bool = True  #: whether the worker stores the result in the result backend


def publish(app: Celery, messages: Sequence[RunMessage], *, timeout: float) -> dict[UUID, str]:
    """Send the messages; returns the ids of those sent, each with the name of its queue (empty if Celery's routing
    chose an exchange). Raises when the broker may not have received all of them.

    On Redis they are pipelined pushes. On RabbitMQ one synchronous request follows the messages; its answer confirms
    that the broker has received them. The messages, signals and events are those of Celery's ``send_task``
    (``after_task_publish`` is sent when the transport gets a message). Messages to a queue that does not exist or
    cannot be declared are left out.
    """
    with open_or_reuse_broker_connection(app, timeout) as link:
        producer: Producer = app.amqp.Producer(link, auto_declare=False)
        routed = list(_group_by_route(app, link, producer, messages))
        with producer.batch():
            for options, group in routed:
                _send(app, producer, options, group)
        if link.transport.driver_type == "amqp":
            producer.channel.basic_qos(0, 1, False)  # answered in order, so after all messages
    return {message.run_id: _queue_name(options) for options, group in routed for message in group}


def _queue_name(options: dict[str, Any]) -> str:
    return str(getattr(options.get("queue"), "name", ""))


def _group_by_route(
    app: Celery, link: Connection, producer: Producer, messages: Sequence[RunMessage]
) -> Iterator[tuple[dict[str, Any], list[RunMessage]]]:
    """Messages grouped by queue, priority and host, each group with Celery's publish options."""
    groups = defaultdict(list)
    for message in messages:
        groups[message.queue, message.priority, message.host].append(message)
    refused: tuple[type[Exception], ...] = (QueueNotFound, *link.channel_errors)
    for (queue, priority, host), group in groups.items():
        try:
            options = _publish_options(app, add_queue_of_host(app, host) if host else queue, priority, group[0])
            if options.get("queue") is not None:
                producer.maybe_declare(options["queue"])
        except refused as error:
            logger.error("%d runs were not sent to queue %r: %s", len(group), host or queue, to_one_line(error))
            producer.revive(link)  # after an error the broker closes the channel
        else:
            yield options, group


def _publish_options(app: Celery, queue: Any, priority: int | None, message: RunMessage) -> dict[str, Any]:
    wanted: dict[str, Any] = {"queue": queue} if queue else {}
    if priority is None:
        priority = app.conf.task_default_priority
    if priority is not None:
        wanted["priority"] = priority
    args = (str(message.run_id), message.token)
    task: Any = app.tasks.get(TASK_NAME)
    options: dict[str, Any] = app.amqp.router.route(wanted, TASK_NAME, args, {}, task)
    return options


def _send(app: Celery, producer: Producer, options: dict[str, Any], messages: Sequence[RunMessage]) -> None:
    origin, wants_event = anon_nodename(), app.conf.task_send_sent_event
    create, send = app.amqp.create_task_message, app.amqp.send_task_message  # each look-up takes a lock
    for message in messages:
        task_id = str(message.run_id)
        args = (task_id, message.token)
        task_message = create(
            task_id,
            TASK_NAME,
            args,
            {},
            create_sent_event=wants_event,
            argsrepr=repr(args),
            kwargsrepr="{}",
            origin=origin,
            shadow=message.job_name or None,
            ignore_result=not message.stores_result,
        )
        if message.job_name:
            task_message.headers["periodic_task_name"] = message.job_name  # read by django-celery-results
        # The queue is declared already. No retry: it could send twice, and the next tick sends again anyway.
        send(producer, TASK_NAME, task_message, declare=[], retry=False, **options)


def send_wake_command(app: Celery, run_id: UUID, *, timeout: float) -> None:
    """Tell all workers to wake the run's supervisor. Does not wait for answers."""
    send_control_command(app, WAKE_COMMAND, {"run_id": str(run_id)}, None, timeout=timeout)


def send_control_command(
    app: Celery, command: str, arguments: dict[str, Any], workers: Sequence[str] | None, *, timeout: float
) -> None:
    """Send a control command to these workers, or to all. Does not wait for answers."""
    untyped: Any = app  # its stubs lack the mailbox and the clock
    mailbox = untyped.control.mailbox
    message = {
        "method": command,
        "arguments": arguments,
        "destination": None if workers is None else list(workers),
        "pattern": None,
        "matcher": None,
    }
    # Not ``control.broadcast``: it uses the app's pool and retries without limit while the broker is down.
    with open_or_reuse_broker_connection(app, timeout) as link:
        app.amqp.Producer(link, auto_declare=False).publish(
            message,
            exchange=mailbox.exchange.name,
            declare=[mailbox.exchange],
            headers={"clock": untyped.clock.forward(), "expires": 0},
            serializer=mailbox.serializer,
            retry=False,
        )
