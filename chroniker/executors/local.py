"""Executes runs on this host: the process that ticks also supervises. The executor without Celery."""

from __future__ import annotations

import logging
import os
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any
from uuid import UUID

from django.core.checks import CheckMessage, Error
from django.db import connections

from chroniker.conf import settings
from chroniker.executors import report_connections
from chroniker.executors.base import InProcessExecutor
from chroniker.executors.database_report import DatabaseReport
from chroniker.models import Run
from chroniker.process.fork_server_client import ForkServer
from chroniker.worker import supervisor
from chroniker.worker.machine import LocalMachine
from chroniker.worker.shutdown_notice import ShutdownNotice
from chroniker.worker.supervisor import Worker
from chroniker.worker.wake_socket import wake_supervisor

logger = logging.getLogger(__name__)

#: Seconds that a fork server may take to end: on a busy host it may still be starting.
FORK_SERVER_TIMEOUT = 60.0


class LocalExecutor(InProcessExecutor):
    """Runs at most ``OPTIONS["workers"]`` commands at once (default: four for each core); the others wait.

    Accepts runs only between ``open`` and ``close``, in a process that stays to supervise them. Claims made elsewhere,
    for example by a button in the admin, wait for the next ``cron``.
    """

    def __init__(self, alias: str, options: Mapping[str, Any]) -> None:
        super().__init__(alias, options)
        self._pool: ThreadPoolExecutor | None = None
        self._fork_server: ForkServer | None = None
        self._shutdown_notice: ShutdownNotice | None = None
        self._taken: dict[Future[None], Run] = {}

    @property
    def workers(self) -> int:
        return int(self.options.get("workers", 4 * (os.cpu_count() or 1)))

    @property
    def slots(self) -> int:
        return self.workers

    def open(self) -> None:
        self._shutdown_notice = ShutdownNotice()
        self._pool = ThreadPoolExecutor(self.workers, thread_name_prefix=f"chroniker-{self.alias}")

    def dispatch(self, runs: Sequence[Run]) -> Collection[UUID]:
        if self._pool is None:
            return []
        runs = self.runs_for_this_host(runs)
        if self._fork_server is None and runs:
            self._fork_server = ForkServer.start()
        taken = set(self.running)  # runs that wait here may be dispatched again
        for run in runs:
            if run.pk not in taken:
                self._taken[self._pool.submit(self._execute, run.pk, run.token)] = run
        return [run.pk for run in runs]

    @property
    def busy(self) -> bool:
        return bool(self._taken)

    @property
    def running(self) -> Collection[UUID]:
        return [run.pk for future, run in self._taken.items() if not future.done()]

    def drop_unstarted_runs(self) -> Collection[UUID]:
        waiting = [future for future in self._taken if future.cancel()]
        return [self._taken.pop(future).pk for future in waiting]

    def stop_running_runs(self) -> None:
        if self._shutdown_notice is not None:
            self._shutdown_notice.announce(0.0)

    def finished(self, timeout: float | None) -> list[int]:
        ended, _running = wait(self._taken, timeout, FIRST_COMPLETED)
        return [self._taken.pop(future).job_id for future in ended]

    def _execute(self, run_id: UUID, token: int) -> None:
        try:
            machine = LocalMachine(settings.runtime_dir, self._fork_server)
            worker = Worker(machine, settings.hostname, self._shutdown_notice)
            supervisor.execute_run(DatabaseReport(run_id, token, worker=self.worker), worker)
        except Exception:  # the run ends with its lease; this thread continues with other runs
            logger.exception("The supervisor of run %s failed.", run_id)
        finally:
            connections.close_all()

    def request_stop(self, run_id: UUID) -> None:
        wake_supervisor(settings.runtime_dir, run_id)

    def check(self) -> list[CheckMessage]:
        workers = self.options.get("workers", 1)
        if isinstance(workers, int) and workers > 0:
            return []
        return [
            Error(
                f"CHRONIKER_EXECUTORS[{self.alias!r}]['OPTIONS']['workers'] is {workers!r}.",
                hint="Give a number of commands to run at once, 1 or more.",
                id="chroniker.E005",
            )
        ]

    def close(self) -> None:
        """Wait for the runs, then end the fork server."""
        pool, fork_server, self._pool, self._fork_server = self._pool, self._fork_server, None, None
        if pool is not None:
            pool.shutdown(cancel_futures=True)
        if self._shutdown_notice is not None:
            self._shutdown_notice.close()
            self._shutdown_notice = None
        if fork_server is not None:
            fork_server.close(FORK_SERVER_TIMEOUT)
        report_connections.close_idle_connections()
