"""What the doctor finds out about broker and workers."""

from __future__ import annotations

from pathlib import Path

import pytest

from chroniker.executors import executors
from tests.celeryapp import app
from tests.support.brokers import Broker
from tests.support.celery_processes import CeleryWorker
from tests.support.servers.base import free_port

pytestmark = [pytest.mark.celery, pytest.mark.django_db(transaction=True)]


def found(*queues: str) -> list[str | None]:
    return [message.id for message in executors["default"].diagnose(queues)]


def test_a_worker_that_answers_is_well_unless_a_queue_is_not_consumed(env: dict[str, str], tmp_path: Path) -> None:
    with CeleryWorker(env, tmp_path):
        assert found("") == []
        assert found("", "elsewhere") == ["chroniker_celery.W004"]


def test_a_fleet_without_workers_is_an_error(env: dict[str, str]) -> None:
    assert found("") == ["chroniker_celery.E007"]


def test_a_broker_that_is_not_there_is_an_error_that_shows_no_password(
    env: dict[str, str], broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = str(free_port())
    url = broker.url.replace(str(broker.server.port), port).replace("://", "://someone:s3cret@", 1)
    monkeypatch.setattr(app.conf, "broker_url", url.replace("guest:guest@", ""))
    [message] = executors["default"].diagnose([""])
    assert message.id == "chroniker_celery.E006"
    assert port in message.msg and "s3cret" not in message.msg
