"""The parts of each worker that runs need: a step of Celery's worker, and a control command."""

from __future__ import annotations

import datetime as dt
import logging
import threading
import time
from collections.abc import Callable
from typing import Any
from uuid import UUID

from celery import bootsteps
from celery.signals import worker_shutdown
from celery.worker import state
from celery.worker.control import control_command, inspect_command
from django.db import connections

from chroniker.clock.database_clock import database_now
from chroniker.conf import settings
from chroniker.eligibility import hosts
from chroniker.models import NO_QUEUE_PLACEHOLDER
from chroniker.scheduler import dispatch, start_report, watch
from chroniker.scheduler.watch import FleetWatch
from chroniker.worker import run_lock
from chroniker.worker.run_remains import LeftoverProcessSweeper
from chroniker.worker.wake_socket import wake_supervisor
from chroniker_celery import (
    alive,
    delivery,  # noqa: F401  loaded before the pool forks
    fitness,
    fork_server,
    revocation,
    shutdown,
    unknown_runs,
)
from chroniker_celery.fitness import Worker
from chroniker_celery.publish import TASK_NAME, UNKNOWN_RUNS_COMMAND, WAKE_COMMAND
from chroniker_celery.queues import HOST_QUEUE_EXPIRY_SECONDS, add_queue_of_host
from chroniker_celery.results import ignored_task_annotations

logger = logging.getLogger(__name__)

#: A run may take days. Celery's time limits would end the pool's process, which is the supervisor. Jobs have timeouts.
UNLIMITED_TASK_TIME_SECONDS = 10 * 365 * 86_400

#: A worker waits this long for the record of its shutdown.
SHUTDOWN_RECORD_TIMEOUT_SECONDS = 5.0


def prepare_worker_for_runs(worker: Worker) -> None:
    """Prepare a worker before Celery creates its parts. Ends the process if it gets runs and cannot supervise them."""
    if not fitness.check_worker_can_supervise(worker):
        return
    app = worker.app
    app.steps["worker"].add(SupervisionStep)
    app.steps["consumer"].add(alive.ConsumerLoopMonitor)
    app.amqp.queues.select_add(add_queue_of_host(app, settings.hostname))
    worker_shutdown.connect(stop_fork_server_and_alive_thread, dispatch_uid="chroniker_celery.retire")
    revocation.connect_signals()
    if worker.time_limit or worker.soft_time_limit:
        task = app.tasks[TASK_NAME]
        task.time_limit = task.soft_time_limit = UNLIMITED_TASK_TIME_SECONDS


def stop_fork_server_and_alive_thread(**kwargs: Any) -> None:
    """End the fork server, and the thread for probes. Called when the pool has ended."""
    fork_server.close_fork_server()
    alive.stop_alive_file_thread()


class SupervisionStep(bootsteps.StartStopStep):
    """Prepares a worker to supervise runs.

    1. Kills processes of earlier runs on this host whose supervisor and keeper are both dead.
    2. Starts the fork server and prepares the shutdown notice, before the pool forks.
    3. Records a heartbeat of this host once a minute, from a thread: the pool never waits for the database.
    4. Shows probes that the worker works.
    5. Kills processes of runs whose supervisor and keeper die later, and starts a killed fork server again.
    """

    requires = ("celery.worker.components:Pool",)  # the order of starts; all steps are created before the first starts

    def __init__(self, parent: Worker, **kwargs: Any) -> None:
        super().__init__(parent, **kwargs)
        self._heartbeat: HostHeartbeat | None = None
        self._sweeper: LeftoverProcessSweeper | None = None

    def create(self, parent: Worker) -> None:
        kill_leftovers_of_earlier_runs()
        fork_server.start_fork_server()
        shutdown.create_shutdown_notice()
        unknown_runs.create_unknown_run_counter()

    def start(self, parent: Worker) -> None:
        if ignored := ignored_task_annotations(parent.app.tasks[TASK_NAME]):
            logger.warning("task_annotations do not apply to scheduled jobs; ignored: %s.", ", ".join(ignored))
        alive.start_alive_file_thread(parent)
        self._log_start(parent)
        self._heartbeat = HostHeartbeat(parent)
        self._heartbeat.start()
        every = settings.heartbeat.total_seconds()
        self._sweeper = LeftoverProcessSweeper(settings.runtime_dir, every, fork_server.current_fork_server())
        self._sweeper.start()

    @staticmethod
    def _log_start(parent: Worker) -> None:
        """Log what this worker executes, from which queues, and as which host."""
        aliases = [executor.alias for executor in fitness.executors_of_app(parent.app)]
        queues = sorted(map(str, parent.app.amqp.queues.consume_from))
        for line in start_report.worker_startup_log_lines(str(parent.hostname), queues, _slot_count(parent), aliases):
            logger.info("%s", line)

    def close(self, parent: Worker) -> None:
        """Announce the shutdown before the pool waits for its runs: remote control's ``shutdown`` sends no signal."""
        shutdown.announce_shutdown()

    def stop(self, parent: Worker) -> None:
        if self._heartbeat is not None:
            self._heartbeat.end()
        if self._sweeper is not None:
            self._sweeper.end()

    def terminate(self, parent: Worker) -> None:
        self.stop(parent)


def kill_leftovers_of_earlier_runs() -> None:
    """Kill the remaining processes of runs whose supervisor and keeper died."""
    try:
        swept = run_lock.kill_leftover_processes(settings.runtime_dir)
    except OSError as error:  # a directory of another user: each run reports that itself
        logger.error("Leftovers of earlier runs in %s were not checked: %s", settings.runtime_dir, error)
    else:
        if swept:
            ids = ", ".join(str(run_id) for run_id in swept)
            logger.warning("Killed the remaining processes of runs whose supervisor had died: %s.", ids)


class HostHeartbeat(threading.Thread):
    """Records once a minute that this worker executes runs, and at its end that it has shut down.

    In between it watches the scheduler: if nothing ticks, a worker has to report it.
    """

    def __init__(self, parent: Worker) -> None:
        super().__init__(name="chroniker-heartbeat", daemon=True)
        self._parent = parent
        self._started_at: dt.datetime | None = None
        self._ended = threading.Event()
        self._failing = False
        self._watch = FleetWatch()

    def run(self) -> None:
        recorded_at = float("-inf")
        while True:
            if time.monotonic() - recorded_at >= hosts.HEARTBEAT_SECONDS:
                recorded_at = time.monotonic()
                self._record_worker_reports(hosts.record_heartbeat)
            self._watch_scheduler()
            if self._ended.wait(watch.seconds_between_checks()):
                self._record_worker_reports(hosts.record_worker_shutdowns)
                return

    def _watch_scheduler(self) -> None:
        try:
            self._watch.raise_or_end_alarms()
        except Exception:  # a defect must not end the heartbeats
            logger.exception("The scheduler could not be watched.")
        finally:
            connections.close_all()

    def _worker_reports(self) -> list[hosts.WorkerReport]:
        """What this worker reports about itself, for each executor whose runs it executes."""
        app, name, slots = self._parent.app, str(self._parent.hostname), _slot_count(self._parent)
        # As changed by remote control.
        queues = sorted(map(str, app.amqp.queues.consume_from)) or [NO_QUEUE_PLACEHOLDER]
        busy = min(len(state.active_requests), slots)
        return [
            hosts.WorkerReport(executor.alias, name, queues, slots, busy, self._started_at)
            for executor in fitness.executors_of_app(app)
        ]

    def _record_worker_reports(self, step: Callable[[list[hosts.WorkerReport]], None]) -> None:
        try:
            if self._started_at is None:
                # The drain was for the deployment of this worker.
                dispatch.end_drain_of_this_host(starting_worker=str(self._parent.hostname))
                dispatch.redispatch_old_claims_of_this_host(dt.timedelta(seconds=HOST_QUEUE_EXPIRY_SECONDS))
                self._started_at = database_now()
            step(self._worker_reports())
            self._failing = False
        except Exception as error:  # the database is down: supervisors handle that themselves
            if not self._failing:
                logger.warning("This host's heartbeat cannot be recorded: %s", str(error).strip())
            self._failing = True
        finally:
            connections.close_all()

    def end(self) -> None:
        """Wait until the shutdown is recorded, but not for a database that does not answer."""
        self._ended.set()
        self.join(SHUTDOWN_RECORD_TIMEOUT_SECONDS)


def _slot_count(parent: Worker) -> int:
    return int(getattr(parent.pool, "num_processes", None) or parent.concurrency or 1)


@control_command(name=WAKE_COMMAND, args=[("run_id", str)], signature="<run id>")
def wake_supervisor_of_run(state: Any, run_id: str) -> dict[str, str]:
    """Wake the supervisor of a run on this host: it renews its lease and reads whether to stop."""
    try:
        woken = wake_supervisor(settings.runtime_dir, UUID(run_id))
    except ValueError:
        return {"error": f"{run_id!r} is not the id of a run"}
    return {"ok": "woken" if woken else "not here"}


@inspect_command(name=UNKNOWN_RUNS_COMMAND)
def count_messages_for_unknown_runs(state: Any, **kwargs: Any) -> dict[str, int]:
    """The number of dropped messages for unknown runs since this worker's start."""
    return {"count": unknown_runs.unknown_run_message_count()}
