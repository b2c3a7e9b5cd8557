"""What every worker of the project does for the runs it executes: a step of Celery's worker, and a control command."""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection
from typing import Any, TypeAlias
from uuid import UUID

from celery import Celery, bootsteps
from celery.signals import worker_shutdown
from celery.worker.control import control_command
from django.db import connections

from chroniker.conf import settings
from chroniker.eligibility import hosts
from chroniker.exceptions import ExecutorError
from chroniker.executors import executors
from chroniker.worker import run_lock
from chroniker.worker.wake_socket import wake
from chroniker_celery import fork_server, shutdown
from chroniker_celery.checks import EAGER, GREEN, GREEN_POOLS
from chroniker_celery.executor import CeleryExecutor
from chroniker_celery.publish import TASK, WAKE, queue_of_host

logger = logging.getLogger(__name__)

#: ``celery.worker.WorkController``, whose stubs know little of it.
Worker: TypeAlias = Any

#: A run may last for days. Celery's time limits end the pool's process, and with it the supervisor; jobs have theirs.
NEVER = 10 * 365 * 86_400


def equip(worker: Worker) -> None:
    """Called for every worker before its parts are made."""
    app = worker.app
    app.steps["worker"].add(Supervision)
    app.amqp.queues.select_add(queue_of_host(app, settings.hostname))
    worker_shutdown.connect(retire, dispatch_uid="chroniker_celery.retire")
    if worker.time_limit or worker.soft_time_limit:
        task = app.tasks[TASK]
        task.time_limit = task.soft_time_limit = NEVER


def retire(**kwargs: Any) -> None:
    """Called when the pool has ended."""
    fork_server.close()


class Supervision(bootsteps.StartStopStep):
    """Makes a worker fit to supervise runs.

    1. Refuses to start where supervision cannot work.
    2. Kills what runs left on this host whose supervisor and keeper are both dead.
    3. Starts the nursery, and opens the way to tell all supervisors that the worker ends, before the pool forks.
    4. Says once a minute that this host is alive, from a thread: the pool never waits for the database.
    """

    requires = ("celery.worker.components:Pool",)  # the order of starts only; all are made before the first starts

    def __init__(self, parent: Worker, **kwargs: Any) -> None:
        super().__init__(parent, **kwargs)
        self._presence: Presence | None = None

    def create(self, parent: Worker) -> None:
        refuse_unfit(parent)
        sweep()
        fork_server.start()
        shutdown.prepare()

    def start(self, parent: Worker) -> None:
        self._presence = Presence(served_by(parent.app))
        self._presence.start()

    def close(self, parent: Worker) -> None:
        """Before the pool waits for its runs. A signal has said so earlier; remote control's shutdown sends none."""
        shutdown.announce()

    def stop(self, parent: Worker) -> None:
        if self._presence is not None:
            self._presence.end()

    def terminate(self, parent: Worker) -> None:
        self.stop(parent)


def refuse_unfit(worker: Worker) -> None:
    """Ends the process with a message where runs could not be supervised."""
    pool: type = worker.pool_cls
    if pool.__module__.rpartition(".")[2] in GREEN_POOLS:
        raise SystemExit(f"{GREEN} Start this worker with --pool prefork, threads or solo.")
    if worker.app.conf.task_always_eager:
        raise SystemExit(f"{EAGER} Take task_always_eager out of this project's settings.")


def sweep() -> None:
    try:
        swept = run_lock.sweep_leftovers(settings.runtime_dir)
    except OSError as error:  # a directory that is not ours: each run will say so itself
        logger.error("What earlier workers left in %s was not looked at: %s", settings.runtime_dir, error)
    else:
        if swept:
            logger.warning("Runs whose supervisor had died: %s. What was left of them was killed.", _list(swept))


def _list(run_ids: list[UUID]) -> str:
    return ", ".join(str(run_id) for run_id in run_ids)


def served_by(app: Celery) -> list[str]:
    """The executors that send their runs to the workers of this app."""
    return [alias for alias in executors if _is_of(alias, app)]


def _is_of(alias: str, app: Celery) -> bool:
    try:
        executor = executors[alias]
        return isinstance(executor, CeleryExecutor) and executor.app is app
    except ExecutorError:  # its own check says so
        return False


class Presence(threading.Thread):
    """Says that this host is alive."""

    def __init__(self, serves: Collection[str]) -> None:
        super().__init__(name="chroniker-presence", daemon=True)
        self._serves = serves
        self._ended = threading.Event()
        self._failing = False

    def run(self) -> None:
        while True:
            self._say()
            if self._ended.wait(hosts.HEARTBEAT_SECONDS):
                return

    def _say(self) -> None:
        try:
            hosts.record_heartbeat(self._serves)
            self._failing = False
        except Exception as error:  # the database is away: runs have their own way to find out
            if not self._failing:
                logger.warning("It cannot be recorded that this host is alive: %s", str(error).strip())
            self._failing = True
        finally:
            connections.close_all()

    def end(self) -> None:
        self._ended.set()


@control_command(name=WAKE, args=[("run_id", str)], signature="<run id>")
def chroniker_wake(state: Any, run_id: str) -> dict[str, str]:
    """Wake the supervisor of a run on this host: it renews its lease, and learns whether to stop."""
    try:
        woken = wake(settings.runtime_dir, UUID(run_id))
    except ValueError:
        return {"error": f"{run_id!r} is no run's id"}
    return {"ok": "woken" if woken else "not here"}
