from __future__ import annotations

import signal
from pathlib import Path

import psutil
import pytest

from tests.support.brokers import Broker
from tests.support.celery_processes import CeleryWorker
from tests.support.processes import wait_until

pytestmark = [pytest.mark.celery, pytest.mark.django_db(transaction=True)]


def test_a_started_worker_responds_through_the_broker_and_leaves_nothing_behind(
    broker: Broker, subprocess_env: dict[str, str], tmp_path: Path
) -> None:
    from tests.celeryapp import app

    with CeleryWorker({**subprocess_env, **broker.environ()}, tmp_path, concurrency=2) as worker:
        assert app.control.ping([worker.hostname], timeout=10) == [{worker.hostname: {"ok": "pong"}}]
        assert len(worker.pool_processes()) == 2
    assert not worker.survivors()


def test_processes_of_a_killed_worker_are_found_and_killed(
    redis_broker: Broker, subprocess_env: dict[str, str], tmp_path: Path
) -> None:
    with CeleryWorker({**subprocess_env, **redis_broker.environ()}, tmp_path) as worker:
        pool = worker.pool_processes()
        for process in pool:
            process.suspend()
        worker.kill(signal.SIGKILL)
        worker.wait()
        # Where the kernel hangs up on an orphaned group, they are gone already.
        wait_until(lambda: worker.survivors() or not any(process.is_running() for process in pool))
    wait_until(lambda: not any(psutil.pid_exists(process.pid) for process in pool), what="pool gone")


def test_a_worker_that_cannot_start_shows_its_log(
    redis_broker: Broker, subprocess_env: dict[str, str], tmp_path: Path
) -> None:
    worker = CeleryWorker({**subprocess_env, **redis_broker.environ()}, tmp_path, options=["--no-such-option"])
    with pytest.raises(AssertionError, match="no-such-option"):
        worker.start()
