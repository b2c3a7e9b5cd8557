"""A worker is shut down while it executes: its runs get their grace, and other workers take over the rest."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings

from chroniker.models import Run, RunEvent, Status
from chroniker.scheduler import stopping
from tests.celeryapp import app
from tests.integration.chroniker_celery.steps import (
    a_claimed_run,
    output_of,
    status_of,
    wait_until_closed,
    wait_until_running,
)
from tests.support.celery_processes import CeleryWorker
from tests.support.processes import wait_until, with_settings

pytestmark = pytest.mark.celery

POOLS = ["prefork", "threads", "solo"]


@pytest.fixture
def settings_of_all(settings_of_all: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Runs get a second. A tick comes late, so only the worker that shuts down can claim a job again."""
    values = {**settings_of_all, "CHRONIKER_SHUTDOWN_GRACE_SECONDS": 1}
    with override_settings(**values):
        yield values


def the_next_run(run: Run) -> Run:
    wait_until(lambda: Run.objects.filter(job=run.job_id, token__gt=run.token).exists(), what="claimed again")
    return Run.objects.get(job=run.job_id, token=run.token + 1)


@pytest.mark.parametrize("pool", POOLS)
def test_a_long_run_is_stopped_and_repeated_by_another_worker(env: dict[str, str], tmp_path: Path, pool: str) -> None:
    with CeleryWorker(env, tmp_path, pool=pool) as first:
        run = a_claimed_run("sleep_for", "600", retry_on_lost=True, retry_backoff_seconds=3600)
        wait_until_running(run)
        with CeleryWorker(env, tmp_path, pool=pool) as second:
            first.kill(signal.SIGTERM)
            closed = wait_until_closed(run)
            again = wait_until_running(the_next_run(run))
            assert first.wait() == 0
            assert not first.survivors()
            assert closed.status == Status.LOST
            assert "shut down" in closed.reason
            assert closed.stop_requested_at is None, "no stop was requested"
            assert "because its worker shuts down" in output_of(run, stream=0)
            assert again.attempt == 2
            stopping.stop_run(again.pk, "the end of the test")
            wait_until_closed(again)
        assert "Traceback" not in first.log + second.log


def test_a_run_that_ends_within_the_shutdown_grace_succeeds(redis_env: dict[str, str], tmp_path: Path) -> None:
    env = with_settings(redis_env, CHRONIKER_SHUTDOWN_GRACE_SECONDS=600)
    go_on = tmp_path / "go on"
    run = a_claimed_run("", raw_command=f"sh -c 'until test -e \"{go_on}\"; do sleep 0.05; done'")
    with CeleryWorker(env, tmp_path) as worker:
        wait_until_running(run)
        worker.kill(signal.SIGTERM)
        wait_until(lambda: "Warm shutdown" in worker.log)
        go_on.touch()
        assert worker.wait() == 0
    assert status_of(run) == Status.SUCCEEDED


def test_without_a_shutdown_grace_the_worker_waits_for_its_runs(redis_env: dict[str, str], tmp_path: Path) -> None:
    env = with_settings(redis_env, CHRONIKER_SHUTDOWN_GRACE_SECONDS=None)
    run = a_claimed_run("sleep_for", "600")
    with CeleryWorker(env, tmp_path) as worker:
        wait_until_running(run)
        worker.kill(signal.SIGTERM)
        wait_until(lambda: "Warm shutdown" in worker.log)
        assert status_of(run) == Status.RUNNING and worker.running()
        stopping.stop_run(run.pk, "a person")
        assert worker.wait() == 0
    assert status_of(run) == Status.STOPPED


def test_a_command_that_ignores_sigterm_is_killed_after_the_stop_grace(
    redis_env: dict[str, str], tmp_path: Path
) -> None:
    run = a_claimed_run("ignore_sigterm")
    with CeleryWorker(redis_env, tmp_path) as worker:
        wait_until(lambda: "ignoring signals" in output_of(run), what="the command ignores SIGTERM")
        worker.kill(signal.SIGTERM)
        assert worker.wait() == 0
        assert not worker.survivors()
    closed = Run.objects.get(pk=run.pk)
    assert closed.status == Status.LOST
    assert "SIGKILL" in closed.reason
    assert closed.job.state.retry_at is None, "its job does not retry lost runs"


def test_a_shutdown_by_remote_control_stops_runs_the_same_way(redis_env: dict[str, str], tmp_path: Path) -> None:
    run = a_claimed_run("sleep_for", "600")
    with CeleryWorker(redis_env, tmp_path) as worker:
        wait_until_running(run)
        app.control.shutdown(destination=[worker.hostname])
        assert worker.wait() == 0
    assert "shut down" in Run.objects.get(pk=run.pk).reason


@pytest.mark.parametrize("pool", ["prefork", *(pytest.param(pool, marks=pytest.mark.nightly) for pool in POOLS[1:])])
def test_prefetched_messages_are_executed_by_other_workers(env: dict[str, str], tmp_path: Path, pool: str) -> None:
    waiting: list[Run] = []
    with CeleryWorker(env, tmp_path, pool=pool) as first:
        run = a_claimed_run("sleep_for", "600")
        wait_until_running(run)
        waiting = [a_claimed_run("noop") for _each in range(4)]
        first.kill(signal.SIGTERM)
        assert first.wait() == 0
    assert {status_of(each) for each in waiting} == {Status.CLAIMED}
    with CeleryWorker(env, tmp_path, pool=pool):
        for each in waiting:
            assert wait_until_closed(each).status == Status.SUCCEEDED
    assert not RunEvent.objects.filter(run__in=waiting, kind="LATE_REPORT").exists()
