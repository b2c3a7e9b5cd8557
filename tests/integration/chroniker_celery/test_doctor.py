"""The findings of ``manage.py doctor`` about broker and workers."""

from __future__ import annotations

import re
from pathlib import Path
from uuid import uuid4

import pytest
from kombu import Queue

from chroniker.executors import executors
from chroniker_celery.publish import RunMessage, publish
from tests.celeryapp import app
from tests.integration.chroniker_celery.conftest import TIMEOUT
from tests.support.brokers import Broker
from tests.support.celery_processes import CeleryWorker
from tests.support.processes import wait_until
from tests.support.servers.base import free_port

pytestmark = [pytest.mark.celery, pytest.mark.django_db(transaction=True)]


def found(broker: Broker, *queues: str) -> list[str]:
    """Ids of the findings; without the one about RabbitMQ's consumer_timeout, which is always there on RabbitMQ."""
    ids = [str(message.id) for message in executors["default"].diagnose(queues)]
    if broker.name == "rabbitmq":
        ids.remove("chroniker_celery.W006")
    return ids


def test_a_queue_that_no_worker_consumes_is_a_warning(env: dict[str, str], broker: Broker, tmp_path: Path) -> None:
    with CeleryWorker(env, tmp_path):
        wait_until(lambda: found(broker, "") == [], what="an answer in time")
        wait_until(lambda: found(broker, "", "elsewhere") == ["chroniker_celery.W004"], what="the warning")


def test_no_worker_is_an_error(env: dict[str, str], broker: Broker) -> None:
    assert found(broker, "") == ["chroniker_celery.E007"]


def test_messages_for_unknown_runs_are_logged_and_reported(env: dict[str, str], broker: Broker, tmp_path: Path) -> None:
    """Another project that shares the broker sends them."""
    unknown = uuid4()
    with CeleryWorker(env, tmp_path) as worker:
        publish(app, [RunMessage(unknown, 1)], timeout=TIMEOUT)
        wait_until(lambda: f"Run {unknown} is not in this database" in worker.log)
        wait_until(lambda: found(broker, "") == ["chroniker_celery.W007"], what="the report")
        [report] = [each.msg for each in executors["default"].diagnose([""]) if each.id == "chroniker_celery.W007"]
        assert re.search(r"since their start \(\S+@\S+: 1\)", report)


def test_the_delivery_limit_of_rabbitmq_is_reported_unless_the_queue_has_its_own(
    env: dict[str, str], broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def warnings() -> list[str]:
        messages = executors["default"].diagnose(["long"])
        return [message.msg for message in messages if message.id == "chroniker_celery.W006"]

    if broker.name == "redis":
        assert warnings() == []
        return
    [message] = warnings()
    assert re.match(r"RabbitMQ \d+\.\d+", message)
    queue = Queue("long", queue_arguments={"x-consumer-timeout": 86_400_000})
    monkeypatch.setitem(app.amqp.queues, "long", queue)
    assert warnings() == []


def test_an_unreachable_broker_is_an_error_without_its_password(
    env: dict[str, str], broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = str(free_port())
    url = broker.url.replace(str(broker.server.port), port).replace("://", "://someone:s3cret@", 1)
    monkeypatch.setattr(app.conf, "broker_url", url.replace("guest:guest@", ""))
    [message] = executors["default"].diagnose([""])
    assert message.id == "chroniker_celery.E006"
    assert port in message.msg and "s3cret" not in message.msg
