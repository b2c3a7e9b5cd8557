"""Messages of one process go over one connection to Redis, as long as it can be used."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
import redis

from chroniker_celery import broker_connection
from chroniker_celery.publish import RunMessage, publish
from tests.celeryapp import app
from tests.integration.chroniker_celery.conftest import TIMEOUT
from tests.support.brokers import Broker

pytestmark = pytest.mark.celery


@pytest.fixture
def server(redis_broker: Broker) -> Iterator[redis.Redis]:
    """A connection of the test's own. The process keeps none to the broker yet."""
    broker_connection._idle_connections.clear()
    with redis.Redis.from_url(redis_broker.url) as server:
        yield server


def send() -> None:
    run_id = uuid4()
    assert publish(app, [RunMessage(run_id, 1)], timeout=TIMEOUT) == {run_id: "celery"}


def opened(server: redis.Redis) -> int:
    """Connections that the broker has accepted so far."""
    info: Any = server.info("stats")
    return int(info["total_connections_received"])


def messages(server: redis.Redis) -> int:
    waiting: Any = server.llen("celery")
    return int(waiting)


def test_later_messages_open_no_connection(server: redis.Redis) -> None:
    send()
    before = opened(server)
    send()
    send()
    assert (opened(server), messages(server)) == (before, 3)


def test_a_connection_that_the_broker_has_closed_is_replaced(server: redis.Redis) -> None:
    send()
    server.client_kill_filter(_type="normal", skipme=True)
    send()
    assert messages(server) == 2


def test_a_connection_is_opened_again_after_its_time(server: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    send()
    before = opened(server)
    monkeypatch.setattr(broker_connection, "MAX_CONNECTION_AGE_SECONDS", 0)
    send()
    assert opened(server) > before


def test_an_error_ends_a_connection(server: redis.Redis) -> None:
    send()
    with pytest.raises(ZeroDivisionError), broker_connection.open_or_reuse_broker_connection(app, TIMEOUT):
        raise ZeroDivisionError
    assert not broker_connection._idle_connections
    send()
    assert messages(server) == 2


def test_two_senders_at_once_do_not_share_a_connection(server: redis.Redis) -> None:
    with (
        broker_connection.open_or_reuse_broker_connection(app, TIMEOUT) as one,
        broker_connection.open_or_reuse_broker_connection(app, TIMEOUT) as two,
    ):
        assert one is not two
    assert len(broker_connection._idle_connections) == 1


def test_a_fork_does_not_use_the_connection_of_its_parent(server: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    with broker_connection.open_or_reuse_broker_connection(app, TIMEOUT) as of_parent:
        pass
    monkeypatch.setattr(os, "getpid", lambda: 1)
    with broker_connection.open_or_reuse_broker_connection(app, TIMEOUT) as of_child:
        assert of_child is not of_parent
