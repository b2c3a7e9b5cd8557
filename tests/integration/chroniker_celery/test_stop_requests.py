"""Stop requests wake the supervisor. Heartbeats are minutes apart, so only the request can end a run in these tests."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.test import override_settings

from chroniker.models import Status
from chroniker.scheduler import stopping
from tests.integration.chroniker_celery.steps import (
    a_claimed_run,
    wait_for_result,
    wait_until_closed,
    wait_until_running,
)
from tests.support.celery_processes import CeleryWorker

pytestmark = [
    pytest.mark.celery,
    pytest.mark.django_db(transaction=True),
    pytest.mark.parametrize("lease", [3600], indirect=True),
]


@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_a_stop_reaches_another_host_by_remote_control(env: dict[str, str], tmp_path: Path, pool: str) -> None:
    run = a_claimed_run("sleep_for", "600")
    with CeleryWorker(env, tmp_path, pool=pool) as worker:
        wait_until_running(run)
        with override_settings(CHRONIKER_RUNTIME_DIR=str(tmp_path / "elsewhere")):
            assert stopping.stop_run(run.pk, requested_by="a test")
        closed = wait_until_closed(run)
        assert closed.status == Status.STOPPED, worker.log
        assert "a test" in closed.reason
        assert wait_for_result(run).state == "FAILURE"


def test_a_stop_reaches_a_busy_solo_worker_on_this_host(redis_env: dict[str, str], tmp_path: Path) -> None:
    run = a_claimed_run("sleep_for", "600")
    with CeleryWorker(redis_env, tmp_path, pool="solo"):  # its one thread supervises, and reads no remote control
        wait_until_running(run)
        stopping.stop_run(run.pk, requested_by="a test")
        assert wait_until_closed(run).status == Status.STOPPED


def test_a_stop_without_workers_closes_a_claimed_run(redis_env: dict[str, str], tmp_path: Path) -> None:
    from chroniker.executors import executors

    run = a_claimed_run()
    executors["default"].request_stop(run.pk)
    assert stopping.stop_run(run.pk, requested_by="a test")
    assert wait_until_closed(run).status == Status.STOPPED
