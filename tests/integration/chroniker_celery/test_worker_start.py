"""How a worker starts: it registers its host, consumes its host's queue, or refuses to start."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection

from chroniker.models import Host, Run, Status
from chroniker_celery import fitness
from chroniker_celery.publish import RunMessage, publish
from tests.celeryapp import app
from tests.integration.chroniker_celery.conftest import TIMEOUT
from tests.integration.chroniker_celery.steps import a_claimed_run, wait_for_result, wait_until_closed
from tests.support.brokers import Broker
from tests.support.celery_processes import CeleryWorker
from tests.support.factories import a_job
from tests.support.processes import wait_until, with_settings

pytestmark = [pytest.mark.celery, pytest.mark.django_db(transaction=True)]


def test_a_worker_registers_its_host_and_consumes_the_queue_of_its_host(
    env: dict[str, str], broker: Broker, tmp_path: Path
) -> None:
    run = a_claimed_run()
    broker.empty()
    with CeleryWorker(with_settings(env, CHRONIKER_HOSTNAME="here"), tmp_path, queues=["others"]):
        publish(app, [RunMessage(run.pk, run.token, host="here")], timeout=TIMEOUT)
        closed = wait_until_closed(run)
        assert (closed.status, closed.host) == (Status.SUCCEEDED, "here")
        wait_until(Host.objects.filter(name="here").exists, what="registered")


def test_a_worker_logs_what_it_executes_and_where(redis_env: dict[str, str], tmp_path: Path) -> None:
    env = with_settings(redis_env, CHRONIKER_HOSTNAME="here")
    with CeleryWorker(env, tmp_path, queues=["others"], concurrency=2) as worker:
        for words in (
            "; host: here\n",
            f"worker: {worker.hostname}; executors: default; queues: chroniker.on.here, others; slots: 2\n",
            "; runtime directory: /",
        ):
            wait_until(lambda words=words: words in worker.log, what=words)  # type: ignore[misc]
        assert worker.log.count("versions: chroniker ") == 1


@pytest.mark.database("postgres")
@pytest.mark.parametrize("pool", ["prefork", "threads"])
def test_no_run_leaves_a_connection_open(redis_env: dict[str, str], tmp_path: Path, pool: str) -> None:
    def connections() -> int:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
            count: int = cursor.fetchone()[0]
        return count

    runs = [a_claimed_run() for _ in range(3)]
    before = connections()  # this one, and what servers of earlier tests may hold in this process
    with CeleryWorker(redis_env, tmp_path, pool=pool, concurrency=2):
        for run in runs:
            wait_for_result(wait_until_closed(run))
        wait_until(lambda: connections() <= before, what="no connection more than before")


def test_time_limits_for_other_tasks_do_not_end_a_run(redis_env: dict[str, str], tmp_path: Path) -> None:
    run = a_claimed_run("sleep_for", "3")
    with CeleryWorker(redis_env, tmp_path, options=["--time-limit", "1", "--soft-time-limit", "1"]) as worker:
        assert wait_until_closed(run).status == Status.SUCCEEDED, worker.log


def test_task_annotations_do_not_apply_to_runs(redis_env: dict[str, str], tmp_path: Path) -> None:
    annotations = {"*": {"soft_time_limit": 1, "time_limit": 1, "rate_limit": "1/h"}}
    runs = [a_claimed_run("sleep_for", "3"), a_claimed_run("sleep_for", "3")]
    env = with_settings(redis_env, CELERY_TASK_ANNOTATIONS=annotations, CELERY_TASK_DEFAULT_RATE_LIMIT="1/h")
    with CeleryWorker(env, tmp_path) as worker:
        for run in runs:
            assert wait_until_closed(run).status == Status.SUCCEEDED, worker.log
        assert "ignored: rate_limit, soft_time_limit, time_limit" in worker.log


def test_a_worker_in_eager_mode_refuses_to_start(redis_env: dict[str, str], tmp_path: Path) -> None:
    worker = CeleryWorker(with_settings(redis_env, CELERY_TASK_ALWAYS_EAGER=True), tmp_path)
    with pytest.raises(AssertionError, match="eager mode"):
        worker.start()
    assert "Traceback" not in worker.log


def test_a_worker_in_eager_mode_starts_for_queues_without_runs(redis_env: dict[str, str], tmp_path: Path) -> None:
    with CeleryWorker(with_settings(redis_env, CELERY_TASK_ALWAYS_EAGER=True), tmp_path, queues=["mails"]):
        assert not Host.objects.exists()


def test_a_worker_in_eager_mode_refuses_to_start_for_the_queue_of_a_job(
    redis_env: dict[str, str], tmp_path: Path
) -> None:
    a_job(queue="mails")
    worker = CeleryWorker(with_settings(redis_env, CELERY_TASK_ALWAYS_EAGER=True), tmp_path, queues=["mails"])
    with pytest.raises(AssertionError, match=r"queues of scheduled jobs \(mails\)"):
        worker.start()


@pytest.mark.parametrize("name", ["gevent", "eventlet"])
def test_a_worker_with_a_green_pool_refuses_to_start(name: str, settings_of_all: dict[str, object]) -> None:
    with pytest.raises(SystemExit, match="prefork, threads or solo"):
        fitness.check_worker_can_supervise(a_worker_with_a_green_pool(name))


@pytest.mark.parametrize("name", ["gevent", "eventlet"])
def test_a_worker_with_a_green_pool_starts_for_queues_without_runs(
    name: str, settings_of_all: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitness, "_unfit_because", "")
    monkeypatch.setattr(app.amqp.queues, "_consume_from", {"mails": app.amqp.queues.new_missing("mails")})
    assert not fitness.check_worker_can_supervise(a_worker_with_a_green_pool(name))
    assert "gevent or eventlet" in fitness.reason_worker_cannot_supervise()


def test_a_run_delivered_to_an_unsuitable_worker_stays_claimed_with_the_reason(
    redis_env: dict[str, str], tmp_path: Path
) -> None:
    """Its job got the worker's queue after the worker had started."""
    with CeleryWorker(with_settings(redis_env, CELERY_TASK_ALWAYS_EAGER=True), tmp_path, queues=["mails"]):
        run = a_claimed_run(queue="mails")
        wait_until(lambda: "eager" in Run.objects.get(pk=run.pk).reason, what="the reason")
        assert Run.objects.get(pk=run.pk).status == Status.CLAIMED


def a_worker_with_a_green_pool(name: str) -> Any:
    """These pools are not installed here, and only the class of the pool is read."""
    pool_cls = type("TaskPool", (), {"__module__": f"celery.concurrency.{name}"})
    return SimpleNamespace(pool_cls=pool_cls, app=app)
