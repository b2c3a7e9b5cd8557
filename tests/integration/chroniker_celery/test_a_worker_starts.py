"""What a worker does besides executing: it says where it is, takes what is meant for its host, or refuses to start."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.db import connection

from chroniker.models import Host, Status
from chroniker_celery.publish import RunMessage, publish
from chroniker_celery.worker import refuse_unfit
from tests.celeryapp import app
from tests.integration.chroniker_celery.steps import a_claimed_run, wait_for_result, wait_until_closed
from tests.support.brokers import Broker
from tests.support.celery_processes import CeleryWorker
from tests.support.processes import wait_until, with_settings

pytestmark = [pytest.mark.celery, pytest.mark.django_db(transaction=True)]


def test_it_registers_its_host_and_takes_runs_from_its_hosts_queue(
    env: dict[str, str], broker: Broker, tmp_path: Path
) -> None:
    run = a_claimed_run()
    broker.empty()
    with CeleryWorker(with_settings(env, CHRONIKER_HOSTNAME="here"), tmp_path, queues=["others"]):
        publish(app, [RunMessage(run.pk, run.token, host="here")], timeout=5)
        closed = wait_until_closed(run)
        assert (closed.status, closed.host) == (Status.SUCCEEDED, "here")
        wait_until(Host.objects.filter(name="here").exists, what="registered")


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


def test_in_eager_mode_it_refuses_to_start(redis_env: dict[str, str], tmp_path: Path) -> None:
    worker = CeleryWorker(with_settings(redis_env, CELERY_TASK_ALWAYS_EAGER=True), tmp_path)
    with pytest.raises(AssertionError, match="eager mode"):
        worker.start()
    assert "Traceback" not in worker.log


@pytest.mark.parametrize("name", ["gevent", "eventlet"])
def test_with_a_green_pool_it_refuses_to_start(name: str) -> None:
    class Worker:
        pool_cls = type("TaskPool", (), {"__module__": f"celery.concurrency.{name}"})

    with pytest.raises(SystemExit, match="prefork, threads or solo"):
        refuse_unfit(Worker())
