"""The broker or the result backend is down or does not answer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import pytest

from chroniker.clock.database_clock import database_now
from chroniker.executors import base
from chroniker.models import Run, Status
from chroniker.scheduler import stopping, tick
from chroniker_celery import publish
from tests.celeryapp import app
from tests.integration.chroniker_celery.conftest import TIMEOUT
from tests.integration.chroniker_celery.steps import a_claimed_run, wait_until_closed
from tests.support.brokers import Broker
from tests.support.celery_processes import CeleryWorker
from tests.support.processes import with_settings
from tests.support.servers import FaultProxy, Mode
from tests.support.servers.base import free_port

pytestmark = [pytest.mark.celery, pytest.mark.django_db(transaction=True)]


@contextmanager
def impatient() -> Iterator[None]:
    """A claim waits only a second for the broker."""
    with patch.object(base, "WAITING_PERSON_TIMEOUT_SECONDS", 1.0):
        yield


@pytest.fixture
def proxied(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultProxy]:
    """A proxy before the broker, for this process."""
    with FaultProxy(broker.server.port) as proxy:
        url = broker.url.replace(f":{broker.server.port}/", f":{proxy.port}/")
        monkeypatch.setattr(app.conf, "broker_url", url)
        yield proxy


def test_a_claim_waits_until_the_broker_is_back(
    env: dict[str, str], tmp_path: Path, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as context, impatient():
        context.setattr(app.conf, "broker_url", broker.url.replace(str(broker.server.port), str(free_port())))
        run = a_claimed_run()
        waiting = Run.objects.get(pk=run.pk)
        assert (waiting.status, waiting.dispatched_at) == (Status.CLAIMED, None)
        assert "refused" in waiting.reason
    with CeleryWorker(env, tmp_path):
        closed = wait_until_closed(run, ticking=True)
    assert closed.status == Status.SUCCEEDED
    assert closed.dispatched_at is not None


@pytest.mark.parametrize("mode", [Mode.FREEZE, Mode.RESET])
def test_a_broker_that_does_not_answer_accepts_nothing(
    proxied: FaultProxy, settings_of_all: dict[str, object], mode: Mode
) -> None:
    proxied.set(mode)
    with impatient():
        run = Run.objects.get(pk=a_claimed_run().pk)
    assert (run.status, run.dispatched_at) == (Status.CLAIMED, None)
    assert run.reason
    stopping.stop_run(run.pk, requested_by="a test")  # the hint is lost and takes no longer
    proxied.set(Mode.PASS)
    again = Run.objects.get(pk=a_claimed_run().pk)
    assert again.dispatched_at is not None


def test_run_now_waits_less_for_the_broker_than_a_tick(
    broker: Broker, settings_of_all: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page waits for the broker. The next tick sends messages that could not be sent."""
    timeouts = []

    def fail(app: object, messages: object, *, timeout: float) -> None:
        timeouts.append(timeout)
        raise OSError("no broker")

    monkeypatch.setattr(publish, "publish", fail)
    with impatient():
        run = a_claimed_run()
    Run.objects.filter(pk=run.pk).update(redispatch_at=database_now())
    tick.tick()
    assert timeouts == [1.0, TIMEOUT]


def test_runs_succeed_while_the_result_backend_is_down(redis_env: dict[str, str], tmp_path: Path) -> None:
    env = with_settings(
        redis_env,
        CELERY_RESULT_BACKEND=f"redis://127.0.0.1:{free_port()}/0",
        CELERY_RESULT_BACKEND_ALWAYS_RETRY=True,
        CELERY_RESULT_BACKEND_TRANSPORT_OPTIONS={"retry_policy": {"max_retries": 1}},
    )
    runs = [a_claimed_run(), a_claimed_run("fails"), a_claimed_run()]
    with CeleryWorker(env, tmp_path) as worker:
        statuses = [wait_until_closed(run).status for run in runs]
        assert statuses == [Status.SUCCEEDED, Status.FAILED, Status.SUCCEEDED], worker.log
    assert f"The result of run {runs[0].pk} was not stored" in worker.log
