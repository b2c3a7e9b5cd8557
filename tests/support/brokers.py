"""The brokers of the Celery tests, and the settings for them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.support import installed
from tests.support.servers import RabbitMQServer, RedisServer

SERVERS: dict[str, type[RedisServer] | type[RabbitMQServer]] = {"redis": RedisServer, "rabbitmq": RabbitMQServer}

#: Redis delivers the message of a dead worker again after these seconds, instead of after hours.
REDIS_OPTIONS = {"visibility_timeout": 10, "unacked_restore_interval": 2, "unacked_restore_throttle": 1}


def broker_names() -> list[str]:
    """The brokers that are installed here."""
    return [name for name, server in SERVERS.items() if installed.CELERY and server.available()]


@dataclass(frozen=True)
class Broker:
    """A running broker."""

    server: RedisServer | RabbitMQServer
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.server.name

    @property
    def url(self) -> str:
        return self.server.url

    def environ(self, *, url: str = "") -> dict[str, str]:
        """Environment variables for processes that use it; with ``url`` through a proxy."""
        return {"CHRONIKER_TEST_BROKER_URL": url or self.url, "CHRONIKER_TEST_BROKER_OPTIONS": json.dumps(self.options)}

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Empty it, and make the Celery app of this process use it."""
        from tests.celeryapp import app

        before = (app.conf.broker_url, app.conf.broker_transport_options)
        app.conf.update(broker_url=self.url, broker_transport_options=self.options)
        forget_connections()
        self.empty()
        try:
            yield
        finally:
            forget_connections()
            app.conf.update(broker_url=before[0], broker_transport_options=before[1])

    def empty(self, *queues: str) -> None:
        """Drop all messages: everything on Redis; on RabbitMQ those in Celery's default queue and in ``queues``."""
        if isinstance(self.server, RedisServer):
            self.server.reset()
            return
        from kombu import Queue

        from tests.celeryapp import app

        with app.connection_for_write() as connection:
            for name in (app.conf.task_default_queue, *queues):
                queue = Queue(name, channel=connection.default_channel)
                queue.queue_declare()
                queue.purge()


def forget_connections() -> None:
    """Close the connection pools of the app, which belong to the previous broker."""
    from kombu import pools

    from tests.celeryapp import app

    pools.reset()
    private: Any = app
    private._pool = private.amqp._producer_pool = None


def start_broker(name: str) -> Iterator[Broker]:
    """For session fixtures: start it, or skip the test."""
    if name not in broker_names():
        pytest.skip(f"{name} is not installed here")
    with SERVERS[name]() as server:
        yield Broker(server, REDIS_OPTIONS if name == "redis" else {})
