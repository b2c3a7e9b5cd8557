"""Checks whether broker and workers are ready. Each request is limited by the executor's timeout."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any

from celery import Celery
from django.core.checks import CheckMessage, Error, Warning

from chroniker.management.diagnosis.finding import join_first_names
from chroniker_celery import publish
from chroniker_celery.broker_connection import open_broker_connection
from chroniker_celery.queues import resolve_queue_names

#: Seconds to wait for workers. Later answers are not counted.
MAX_ANSWER_WAIT_SECONDS = 2.0
#: A queue with this argument has its own limit in place of the server's ``consumer_timeout``.
CONSUMER_TIMEOUT_ARGUMENT = "x-consumer-timeout"


def diagnose(app: Celery, default_queue: str, queues: Collection[str], *, timeout: float) -> list[CheckMessage]:
    """Reports E006, E007, W004, W006, W007."""
    wait = min(timeout, MAX_ANSWER_WAIT_SECONDS)
    try:
        with open_broker_connection(app, timeout) as link:
            untyped: Any = app.control
            answers = untyped.inspect(timeout=wait, connection=link).active_queues()
            unknown = (
                untyped.broadcast(publish.UNKNOWN_RUNS_COMMAND, reply=True, timeout=wait, connection=link)
                if answers
                else []
            )
            rabbitmq = _rabbitmq_version(link)
    except Exception as error:  # any transport's exception
        hint = "Start it, or correct CELERY_BROKER_URL for this host. Claimed runs wait until it is back."
        message = f"The broker {_broker_url(app)} cannot be reached: {type(error).__name__}: {error}"
        return [Error(message, hint=hint, id="chroniker_celery.E006")]
    names = resolve_queue_names(app, default_queue, queues)
    found = list(_check_consumer_timeout(app, names, rabbitmq))
    if not answers:
        return [*found, _no_worker_message()]
    return [*found, *_check_queues_are_consumed(answers, names), *_check_messages_for_unknown_runs(unknown)]


def _no_worker_message() -> CheckMessage:
    hint = (
        "Start one: celery -A PROJECT worker. A worker with the solo pool does not answer while it executes a run; "
        "if all workers are of this kind and busy, nothing is wrong."
    )
    return Error(f"No worker answered within {MAX_ANSWER_WAIT_SECONDS:g} s.", hint=hint, id="chroniker_celery.E007")


def _check_queues_are_consumed(answers: Any, names: Collection[str]) -> Iterator[CheckMessage]:
    consumed = {queue["name"] for consumers in answers.values() for queue in consumers or ()}
    for queue in sorted(set(names) - consumed):
        yield Warning(
            f"Jobs use the queue {queue!r}, but no worker that answered consumes it; "
            f"consumed: {_join_names(consumed)}.",
            hint=f"Start a worker with --queues {queue}, or edit these jobs. Their runs wait until the start deadline.",
            id="chroniker_celery.W004",
        )


def _check_messages_for_unknown_runs(answers: Any) -> Iterator[CheckMessage]:
    counts = {worker: int(each.get("count", 0)) for answer in answers or () for worker, each in answer.items()}
    dropped = [f"{worker}: {count}" for worker, count in sorted(counts.items()) if count]
    if dropped:
        yield Warning(
            "Workers dropped messages for runs that are not in their database since their start "
            f"({join_first_names(dropped)}).",
            hint="Give each project that uses this broker its own database number, virtual host or queue, and all "
            "processes of a project the same DATABASES; restart these workers. Messages for deleted runs count too.",
            id="chroniker_celery.W007",
        )


def _check_consumer_timeout(app: Celery, names: Collection[str], version: str) -> Iterator[CheckMessage]:
    queues = [app.amqp.queues.get(name) for name in sorted(names)]
    if not version or all(queue and CONSUMER_TIMEOUT_ARGUMENT in (queue.queue_arguments or {}) for queue in queues):
        return
    yield Warning(
        f"RabbitMQ {version} disconnects a consumer that holds a message for longer than consumer_timeout (30 minutes "
        "by default). A worker reserves its next message while a run executes, and exits when it is disconnected.",
        hint=f"Set consumer_timeout in rabbitmq.conf to more than the longest run takes, or the queue argument "
        f"{CONSUMER_TIMEOUT_ARGUMENT} (RabbitMQ 3.12 or newer). Then silence this check if you set it on the server.",
        id="chroniker_celery.W006",
    )


def _rabbitmq_version(link: Any) -> str:
    """Empty for any other broker."""
    properties = getattr(link.connection, "server_properties", None) or {}
    return str(properties.get("version", "")) if properties.get("product") == "RabbitMQ" else ""


def _broker_url(app: Any) -> str:
    return str(app.connection_for_write().as_uri())  # without the password


def _join_names(names: Collection[str]) -> str:
    return ", ".join(sorted(names)) or "none"
