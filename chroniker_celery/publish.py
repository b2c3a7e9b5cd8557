"""Messages to the broker, on a connection of their own that gives up after a few seconds.

Not one of the app's pool: that one may have been broken for hours, waits as long as the project's settings say, and
tries again as often. A connection costs a few milliseconds, and a tick sends all it has over one.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeAlias
from uuid import UUID

from celery import Celery
from celery.exceptions import QueueNotFound
from celery.utils.nodenames import anon_nodename

from chroniker.escaping import one_line

logger = logging.getLogger(__name__)

TASK = "chroniker_celery.execute"
WAKE = "chroniker_wake"

#: Before the host's name in the name of the queue that only its workers consume.
HOST_QUEUE = "chroniker.host."

#: ``kombu.Connection`` and ``kombu.Producer``: their stubs are of an older version.
Connection: TypeAlias = Any
Producer: TypeAlias = Any

#: How each kind of broker names its limits on a single operation; the others have what limits they have.
_LIMITS: dict[str, tuple[str, ...]] = {
    "redis": ("socket_connect_timeout", "socket_timeout"),
    "amqp": ("read_timeout", "write_timeout"),
}


def queue_of_host(app: Celery, hostname: str) -> Any:
    """The queue that only the workers of this host consume, declared alike by those who send and who receive."""
    return app.amqp.queues.add(app.amqp.queues.new_missing(f"{HOST_QUEUE}{hostname}"))


class RunMessage(NamedTuple):
    """A run on its way to the workers."""

    run_id: UUID
    token: int
    queue: str = ""  #: empty: where Celery's routing sends it
    priority: int | None = None
    host: str = ""  #: the one host that is to execute it; its queue goes before any other


@contextmanager
def connection(app: Celery, timeout: float) -> Iterator[Connection]:
    """A connection that is established. No operation on it takes longer than ``timeout`` seconds.

    Raises what the transport raises, after each of the app's brokers was tried once more, or ``timeout`` has passed.
    """
    made: Connection = app.connection_for_write(connect_timeout=timeout)
    made.transport_options.update(dict.fromkeys(_LIMITS.get(made.transport.driver_type, ()), timeout))
    try:
        tries = len(getattr(made, "alt", None) or [made])
        made.ensure_connection(max_retries=tries, interval_start=0.1, interval_step=0.1, timeout=timeout)
        yield made
    except BaseException:
        made.collect()  # no good-bye to a broker that may not answer
        raise
    made.release()


def publish(app: Celery, letters: Sequence[RunMessage], *, timeout: float) -> list[UUID]:
    """Send each letter; the ids of those sent. Raises when the broker may not have taken them all.

    Redis gets them as pipelined pushes, RabbitMQ as messages followed by one question, whose answer says that it
    has received them. Message for message they are what Celery's own ``send_task`` sends, signals and events included
    (``after_task_publish`` is sent when a message is handed to the transport). Letters to a queue that
    does not exist, or cannot be declared, are left out.
    """
    with connection(app, timeout) as link:
        producer: Producer = app.amqp.Producer(link, auto_declare=False)
        routed = list(_routed(app, link, producer, letters))
        with producer.batch():
            for options, group in routed:
                _send(app, producer, options, group)
        if link.transport.driver_type == "amqp":
            producer.channel.basic_qos(0, 1, False)  # answered in turn: by then all the messages before it are there
    return [letter.run_id for _options, group in routed for letter in group]


def _routed(
    app: Celery, link: Connection, producer: Producer, letters: Sequence[RunMessage]
) -> Iterator[tuple[dict[str, Any], list[RunMessage]]]:
    """Letters of one queue, priority and host, with Celery's options for them. Routes are asked once a group."""
    groups = defaultdict(list)
    for letter in letters:
        groups[letter.queue, letter.priority, letter.host].append(letter)
    refused: tuple[type[Exception], ...] = (QueueNotFound, *link.channel_errors)
    for (queue, priority, host), group in groups.items():
        try:
            options = _route(app, queue_of_host(app, host) if host else queue, priority, group[0])
            if options.get("queue") is not None:
                producer.maybe_declare(options["queue"])
        except refused as error:
            logger.error("%d runs were not sent to queue %r: %s", len(group), host or queue, one_line(error))
            producer.restart(link)  # the broker closes a channel that it refused something
        else:
            yield options, group


def _route(app: Celery, queue: Any, priority: int | None, letter: RunMessage) -> dict[str, Any]:
    wanted: dict[str, Any] = {"queue": queue} if queue else {}
    if priority is None:
        priority = app.conf.task_default_priority
    if priority is not None:
        wanted["priority"] = priority
    args = (str(letter.run_id), letter.token)
    task: Any = app.tasks.get(TASK)
    options: dict[str, Any] = app.amqp.router.route(wanted, TASK, args, {}, task)
    return options


def _send(app: Celery, producer: Producer, options: dict[str, Any], letters: Sequence[RunMessage]) -> None:
    origin, wants_event = anon_nodename(), app.conf.task_send_sent_event
    for letter in letters:
        task_id = str(letter.run_id)
        args = (task_id, letter.token)
        message = app.amqp.create_task_message(
            task_id,
            TASK,
            args,
            {},
            create_sent_event=wants_event,
            argsrepr=repr(args),
            kwargsrepr="{}",
            origin=origin,
        )
        # Declared already, and tried once: who sends late may send twice, and the tick comes again.
        app.amqp.send_task_message(producer, TASK, message, declare=[], retry=False, **options)


def wake(app: Celery, run_id: UUID, *, timeout: float) -> None:
    """Ask all workers to wake the run's supervisor, if it is theirs. Waits for no answer."""
    fleet: Any = app  # its stubs know neither the mailbox nor the clock
    mailbox = fleet.control.mailbox
    command = {
        "method": WAKE,
        "arguments": {"run_id": str(run_id)},
        "destination": None,
        "pattern": None,
        "matcher": None,
    }
    # Not ``control.broadcast``: it publishes through the app's pool, and tries for as long as the broker is away.
    with connection(app, timeout) as link:
        app.amqp.Producer(link, auto_declare=False).publish(
            command,
            exchange=mailbox.exchange.name,
            declare=[mailbox.exchange],
            headers={"clock": fleet.clock.forward(), "expires": 0},
            serializer=mailbox.serializer,
            retry=False,
        )
