"""The contract over Celery, with a real broker and a real worker."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from chroniker.executors import Executor
from chroniker.models import Status
from tests.integration.executors.accepting_contract import a_claim
from tests.integration.executors.contract import ExecutorContract
from tests.support.brokers import Broker
from tests.support.celery_processes import CeleryWorker

pytestmark = pytest.mark.celery


class TestCeleryExecutor(ExecutorContract):
    BACKEND = "chroniker_celery.executor.CeleryExecutor"
    OPTIONS = {"app": "tests.celeryapp:app"}

    @pytest.fixture(scope="class")
    @classmethod
    def served(
        cls, env: dict[str, str], redis_broker_session: Broker, tmp_path_factory: pytest.TempPathFactory
    ) -> Iterator[None]:
        directory, environ = tmp_path_factory.mktemp("worker"), {**env, **redis_broker_session.environ()}
        with (
            redis_broker_session.in_use(),
            CeleryWorker(environ, directory, concurrency=2, queues=["celery", "special"]),
        ):
            yield

    def test_runs_are_sent_to_the_queue_of_their_job(self, executor: Executor) -> None:
        special, nobodys = a_claim(queue="special"), a_claim(queue="nobody listens")
        executor.dispatch([nobodys, special])
        assert self.wait_for_end(executor, special)[0].status == Status.SUCCEEDED
        nobodys.refresh_from_db()
        assert nobodys.status == Status.CLAIMED
