"""The queues for the messages of runs."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from celery import Celery
from kombu import Exchange, Queue

#: Before the host's name in the name of the queue that only workers of that host consume.
HOST_QUEUE_PREFIX = "chroniker.on."
#: RabbitMQ deletes such a queue when no worker has consumed it for so many seconds: hosts such as pods never return.
HOST_QUEUE_EXPIRY_SECONDS = 3600.0


def add_queue_of_host(app: Celery, hostname: str) -> Any:
    """The queue that only workers of this host consume. Senders and receivers declare it in the same way.

    It is bound to the app's default exchange: an exchange of its own would stay when the queue expires. Messages that
    are lost with it are sent again when the host is back.
    """
    name = f"{HOST_QUEUE_PREFIX}{hostname}"
    return app.amqp.queues.add(Queue(name, Exchange(""), routing_key=name, expires=HOST_QUEUE_EXPIRY_SECONDS))


def resolve_queue_names(app: Celery, default: str, queues: Collection[str]) -> set[str]:
    """Names of the queues for jobs that want these queues. Empty text: the ``default``, or else Celery's routing.

    Limit: where ``task_routes`` is set, the queue of jobs without a queue is not known and left out.
    """
    routed = "" if app.conf.task_routes else str(app.conf.task_default_queue)
    return {name for queue in queues if (name := queue or default or routed)}
