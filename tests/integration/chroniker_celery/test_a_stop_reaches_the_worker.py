"""With heartbeats minutes apart only a hint can end a run within a test."""

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
def test_through_remote_control_when_it_is_on_another_host(env: dict[str, str], tmp_path: Path, pool: str) -> None:
    run = a_claimed_run("sleep_for", "600")
    with CeleryWorker(env, tmp_path, pool=pool) as worker:
        wait_until_running(run)
        with override_settings(CHRONIKER_RUNTIME_DIR=str(tmp_path / "elsewhere")):
            assert stopping.stop(run.pk, by="a test")
        closed = wait_until_closed(run)
        assert closed.status == Status.STOPPED, worker.log
        assert "a test" in closed.reason
        assert wait_for_result(run).state == "FAILURE"


def test_directly_when_it_is_on_this_host_even_if_the_worker_listens_to_nobody(
    redis_env: dict[str, str], tmp_path: Path
) -> None:
    run = a_claimed_run("sleep_for", "600")
    with CeleryWorker(redis_env, tmp_path, pool="solo"):  # its one thread supervises, and reads no remote control
        wait_until_running(run)
        stopping.stop(run.pk, by="a test")
        assert wait_until_closed(run).status == Status.STOPPED


def test_it_does_no_harm_when_nobody_is_there(redis_env: dict[str, str], tmp_path: Path) -> None:
    from chroniker.executors import executors

    run = a_claimed_run()
    executors["default"].request_stop(run.pk)
    assert stopping.stop(run.pk, by="a test")
    assert wait_until_closed(run).status == Status.STOPPED
