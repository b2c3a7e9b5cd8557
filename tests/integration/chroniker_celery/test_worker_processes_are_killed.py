"""SIGKILL during a run: its process tree is dead before the run is closed as lost and before another can start."""

from __future__ import annotations

import signal
from pathlib import Path

import psutil
import pytest

from chroniker.models import Status
from tests.integration.chroniker_celery.conftest import SHORT_LEASE
from tests.integration.chroniker_celery.steps import a_claimed_run, wait_until_closed, wait_until_running
from tests.support.celery_processes import CeleryWorker
from tests.support.processes import wait_until

pytestmark = [
    pytest.mark.celery,
    pytest.mark.django_db(transaction=True),
    pytest.mark.parametrize("lease", [SHORT_LEASE], indirect=True),
]


def pids(pidfile: Path) -> list[int]:
    return [int(pid) for pid in pidfile.read_text().split()]


def living(pidfile: Path) -> list[int]:
    return [pid for pid in pids(pidfile) if psutil.pid_exists(pid)]


@pytest.mark.parametrize(("victim", "pool"), [("worker", "prefork"), ("pool child", "prefork"), ("worker", "threads")])
def test_the_run_is_lost_and_its_process_tree_is_killed(
    redis_env: dict[str, str], tmp_path: Path, victim: str, pool: str
) -> None:
    pidfile = tmp_path / "pids"
    run = a_claimed_run("fork_daemon", f"{pidfile} --stay 600", retry_on_lost=True, retry_backoff_seconds=0)
    with CeleryWorker(redis_env, tmp_path, pool=pool) as worker:
        wait_until_running(run)
        wait_until(pidfile.exists, what="the daemon")
        tree = pids(pidfile)  # now: the next pool child may execute the retry as soon as the run is closed
        if victim == "worker":
            worker.kill(signal.SIGKILL)
        else:
            for process in worker.pool_processes():
                process.kill()
        closed = wait_until_closed(run, ticking=True)
        assert not [pid for pid in tree if psutil.pid_exists(pid)]
        assert closed.status == Status.LOST
        with CeleryWorker(redis_env, tmp_path, pool=pool):
            retry = closed.job.runs.get(token=closed.token + 1)
            assert wait_until_running(retry).attempt == 2
    assert not worker.survivors()


def test_a_worker_continues_after_its_fork_server_died(redis_env: dict[str, str], tmp_path: Path) -> None:
    with CeleryWorker(redis_env, tmp_path) as worker:
        pool = {process.pid for process in worker.pool_processes()}
        children = psutil.Process(worker.pid).children()
        (fork_server,) = [process for process in children if process.pid not in pool]
        fork_server.kill()
        assert wait_until_closed(a_claimed_run()).status == Status.SUCCEEDED, worker.log


def test_a_starting_worker_kills_processes_of_an_earlier_worker(redis_env: dict[str, str], tmp_path: Path) -> None:
    pidfile = tmp_path / "pids"
    run = a_claimed_run("fork_daemon", f"{pidfile} --stay 600")
    with CeleryWorker(redis_env, tmp_path) as worker:
        wait_until_running(run)
        wait_until(pidfile.exists, what="the daemon")
        # Not the processes of the command: one of them ends by itself as soon as the daemon runs.
        guardians = [*worker.children_named("chroniker-fork", "chroniker-keep"), *worker.pool_processes()]
        assert len(guardians) >= 3
        for process in guardians:
            process.suspend()  # so that none has time to react to the end of another one
        for process in guardians:
            process.kill()
        worker.kill(signal.SIGKILL)
        assert living(pidfile)
        with CeleryWorker(redis_env, tmp_path) as successor:
            wait_until(lambda: not living(pidfile), what="swept")
            assert str(run.pk) in successor.log
        assert wait_until_closed(run, ticking=True).status == Status.LOST


@pytest.mark.parametrize("pool", ["prefork", "solo"])  # with threads Celery has no way to end at once
def test_a_worker_that_ends_at_once_logs_what_happens_to_its_run(
    redis_env: dict[str, str], tmp_path: Path, pool: str
) -> None:
    pidfile = tmp_path / "pids"
    run = a_claimed_run("fork_daemon", f"{pidfile} --stay 600", retry_on_lost=True, retry_backoff_seconds=0)
    with CeleryWorker(redis_env, tmp_path, pool=pool) as worker:
        wait_until_running(run)
        wait_until(pidfile.exists, what="the daemon")
        worker.kill(signal.SIGQUIT)
        worker.wait()
        assert not living(pidfile)
        closed = wait_until_closed(run, ticking=False)
        assert closed.status == Status.LOST
        assert "had to exit immediately" in closed.reason
        assert "had to exit immediately" in "".join(closed.chunks.filter(stream=0).values_list("text", flat=True))
        assert closed.job.state.retry_at is not None
        assert "Traceback" not in worker.log
    assert not worker.survivors()
