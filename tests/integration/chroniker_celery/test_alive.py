"""``chroniker-alive`` for beat and workers."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from chroniker.process.alive_file import LOOP_INTERVAL_SECONDS, seconds_since_last_loop
from chroniker_celery import alive
from chroniker_celery.alive import LOOP_HANGING_AFTER_SECONDS, AliveFileThread, ConsumerLoopMonitor
from tests.integration.chroniker_celery.steps import a_claimed_run, wait_until_running
from tests.support.alive_program import short_directory, status_of
from tests.support.brokers import Broker
from tests.support.celery_processes import CeleryBeat, CeleryProcess, CeleryWorker
from tests.support.processes import wait_until, with_settings
from tests.support.servers import FaultProxy, Mode

pytestmark = [pytest.mark.celery, pytest.mark.django_db(transaction=True)]

MAX_AGE = 12.0
#: The file is written so often until a loop that does not turn counts as hanging, and once more.
TIMES_UNTIL_A_LOOP_HANGS = int(LOOP_HANGING_AFTER_SECONDS / LOOP_INTERVAL_SECONDS) + 1


@pytest.fixture
def directory() -> Iterator[Path]:
    with short_directory() as directory:
        yield directory


def is_written_again(directory: Path, kind: str, times: int) -> None:
    """Wait until the file has a newer time, so often."""
    [file] = (directory / "alive").glob(f"{kind}-*")
    for _each in range(times):
        before = file.read_text()
        wait_until(lambda before=before: file.read_text() != before, what="touched")  # type: ignore[misc]


def is_noticed_while_frozen(process: CeleryProcess, kind: str, directory: Path) -> None:
    wait_until(lambda: status_of(kind, directory, MAX_AGE) == 0, what="alive")
    process.kill(signal.SIGSTOP)
    wait_until(lambda: status_of(kind, directory, MAX_AGE) == 1, what="noticed")
    process.kill(signal.SIGCONT)
    wait_until(lambda: status_of(kind, directory, MAX_AGE) == 0, what="alive again")
    process.kill(signal.SIGTERM)
    process.wait()
    assert list((directory / "alive").iterdir()) == []


def test_a_frozen_beat_is_noticed(redis_env: dict[str, str], tmp_path: Path, directory: Path) -> None:
    with CeleryBeat(with_settings(redis_env, CHRONIKER_RUNTIME_DIR=str(directory)), tmp_path) as beat:
        is_noticed_while_frozen(beat, "beat", directory)


@pytest.mark.parametrize("pool", ["prefork", pytest.param("threads", marks=pytest.mark.nightly), "solo"])
def test_a_frozen_worker_is_noticed(redis_env: dict[str, str], tmp_path: Path, directory: Path, pool: str) -> None:
    with CeleryWorker(with_settings(redis_env, CHRONIKER_RUNTIME_DIR=str(directory)), tmp_path, pool=pool) as worker:
        is_noticed_while_frozen(worker, "worker", directory)


def test_a_solo_worker_whose_run_takes_long_is_alive(
    redis_env: dict[str, str], tmp_path: Path, directory: Path
) -> None:
    """Longer than the loop may hang: it does not turn meanwhile."""
    run = a_claimed_run("sleep_for", str(LOOP_HANGING_AFTER_SECONDS * 2))
    with CeleryWorker(with_settings(redis_env, CHRONIKER_RUNTIME_DIR=str(directory)), tmp_path, pool="solo"):
        wait_until_running(run)
        is_written_again(directory, "worker", TIMES_UNTIL_A_LOOP_HANGS)


def test_a_worker_whose_broker_is_away_is_alive_and_after_it(
    redis_env: dict[str, str], redis_broker: Broker, tmp_path: Path, directory: Path
) -> None:
    with FaultProxy(redis_broker.server.port) as proxy:
        url = redis_broker.url.replace(f":{redis_broker.server.port}/", f":{proxy.port}/")
        env = with_settings(redis_env, CHRONIKER_RUNTIME_DIR=str(directory), CELERY_BROKER_URL=url)
        with CeleryWorker(env, tmp_path) as worker:
            wait_until(lambda: status_of("worker", directory, MAX_AGE) == 0, what="alive")
            proxy.set(Mode.RESET)
            wait_until(lambda: "connection" in worker.log.lower() and "lost" in worker.log.lower(), what="noticed")
            is_written_again(directory, "worker", TIMES_UNTIL_A_LOOP_HANGS)
            proxy.set(Mode.PASS)
            is_written_again(directory, "worker", TIMES_UNTIL_A_LOOP_HANGS)


def test_a_worker_whose_loop_hangs_is_not_alive(
    directory: Path, monkeypatch: pytest.MonkeyPatch, settings: object
) -> None:
    monkeypatch.setattr(settings, "CHRONIKER_RUNTIME_DIR", str(directory), raising=False)
    monkeypatch.setattr(alive, "LOOP_INTERVAL_SECONDS", 0.01)
    monkeypatch.setattr(ConsumerLoopMonitor, "last_loop_time", time.monotonic() - LOOP_HANGING_AFTER_SECONDS - 1)
    hanging, solo = AliveFileThread(is_solo=False), AliveFileThread(is_solo=True)
    hanging.start()
    hanging.end()
    assert not (directory / "alive").exists()
    solo.start()
    wait_until(lambda: seconds_since_last_loop(directory, "worker"), what="touched")
    solo.end()
    assert not seconds_since_last_loop(directory, "worker"), "it ended in order"
