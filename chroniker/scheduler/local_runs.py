"""Runs that execute in this process: wait for them, claim jobs that waited for them, end them at shutdown."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable, Collection
from types import TracebackType
from typing import Self
from uuid import UUID

from django.db import Error, close_old_connections

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.conf import settings
from chroniker.eligibility.hosts import WorkerReport
from chroniker.escaping import to_one_line
from chroniker.exceptions import ExecutorError
from chroniker.executors import InProcessExecutor, executors
from chroniker.process.kernel import host_clock
from chroniker.scheduler import stopping, tick, tick_result
from chroniker.scheduler.shutdown_signals import ShutdownSignals
from chroniker.worker import run_lock
from chroniker.worker.run_remains import LeftoverProcessSweeper

logger = logging.getLogger(__name__)

#: Signals are checked this often while runs execute here.
POLL_SECONDS = 0.25


class LocalRuns:
    """Opens the executors that execute in this process. Leaving the ``with`` block waits until their runs have ended.

    After the first shutdown signal it claims nothing more, gives back the runs that have not begun, and waits for the
    others for ``drain`` seconds (``None``: without limit). Then it stops them as interrupted runs; the jobs' policy for
    interrupted runs decides about a retry. After a second signal, or with ``stops``, it requests their stop, as a
    request by a person does.
    """

    def __init__(
        self,
        shutdown: ShutdownSignals,
        *,
        who: str,
        aliases: Collection[str] | None = None,
        drain: float | None = None,
        stops: bool = False,
        on_result: Callable[[tick_result.TickResult], None] | None = None,
        log: Callable[[str], None] = logger.info,
        on_end: Callable[[int], None] = lambda job_id: None,
    ) -> None:
        """``who``: this process's name, for the record. ``on_result`` gets the result of each claim after a run;
        without ``on_result`` nothing is claimed. ``log`` prints messages for people."""
        self._shutdown, self._who, self._aliases, self._drain, self._stops = shutdown, who, aliases, drain, stops
        self._on_result, self._log, self._on_end = on_result, log, on_end
        self._open: list[InProcessExecutor] = []
        self._opened_at: dt.datetime | None = None
        self._sweeper = LeftoverProcessSweeper(settings.runtime_dir, settings.heartbeat.total_seconds())

    def __enter__(self) -> Self:
        self._open = [executor for executor in map(_local_executor, self._aliases or executors) if executor is not None]
        if self._open:
            run_lock.kill_leftover_processes(settings.runtime_dir)
            self._sweeper.start()
            self._opened_at = database_now()
        for executor in self._open:
            executor.open()
        return self

    def worker_reports(self) -> list[WorkerReport]:
        """The reports of this process about the executors whose runs it executes."""
        return [self._make_worker_report(executor) for executor in self._open]

    def _make_worker_report(self, executor: InProcessExecutor) -> WorkerReport:
        busy = len(executor.running) if executor.slots is None else min(len(executor.running), executor.slots)
        return WorkerReport(executor.alias, executor.worker, (), executor.slots, busy, self._opened_at)

    @property
    def has_open_runs(self) -> bool:
        """Whether an executor has accepted runs whose end it has not reported yet."""
        return any(executor.busy for executor in self._open)

    @property
    def running_run_ids(self) -> list[UUID]:
        return [run_id for executor in self._open for run_id in executor.running]

    def wait(self, seconds: float) -> None:
        """Wait ``seconds``, or until a run ends or a signal arrives. Then claim the jobs that waited for that run."""
        busy = [executor for executor in self._open if executor.busy]
        if not busy:
            self._shutdown.wait(seconds)
        for executor in busy:
            for job_id in executor.finished(min(seconds, POLL_SECONDS) / len(busy)):
                self._on_end(job_id)
                self._claim_after_run(job_id)

    def wait_for_all_runs(self) -> None:
        """Wait until all runs of this process have ended, or for a shutdown signal."""
        while self.has_open_runs and not self._shutdown:
            self.wait(POLL_SECONDS)

    def _claim_after_run(self, job_id: int) -> None:
        if self._on_result is None or self._shutdown:
            return
        close_old_connections()  # this thread may have used its connection hours ago
        try:
            self._on_result(tick.claim_after_run(job_id))
        except Error as error:  # runs continue without a database for one lease; the next tick claims these jobs
            logger.warning("The jobs that wait for job %s were not claimed: %s", job_id, to_one_line(error))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._end_runs()
        finally:
            self._sweeper.end()
            for executor in self._open:
                executor.close()

    def _end_runs(self) -> None:
        self._on_result = None
        self._give_back_unstarted_runs()
        if self.has_open_runs and self._shutdown and self._drain != 0:
            self._log(f"Waiting for {len(self.running_run_ids)} runs to end; to stop them, send the signal again.")
        end = float("inf") if self._drain is None else host_clock.monotonic() + self._drain
        while self.has_open_runs and self._shutdown.count < 2 and host_clock.monotonic() < end:
            self.wait(POLL_SECONDS)
        if not self._stops and self._shutdown.count < 2:
            for executor in self._open:
                executor.stop_running_runs()
        to_stop = set(self.running_run_ids)
        while self.has_open_runs:
            if self._stops or self._shutdown.count >= 2:
                to_stop -= self._request_stops(to_stop)
            self.wait(POLL_SECONDS)

    def _give_back_unstarted_runs(self) -> None:
        waiting = [run_id for executor in self._open for run_id in executor.drop_unstarted_runs()]
        try:
            if waiting:
                lifecycle.record_dispatch_failures(waiting, database_now())
        except Error as error:  # a later tick redispatches them
            logger.warning("%d queued runs could not be given back: %s", len(waiting), to_one_line(error))

    def _request_stops(self, run_ids: Collection[UUID]) -> set[UUID]:
        """Request a stop of these runs. Returns the runs for which this succeeded, or that had ended already."""
        done = set()
        for run_id in run_ids:
            try:
                stopping.stop_run(run_id, self._who)
            except Error as error:  # repeated after the next wait
                logger.warning("The stop of run %s could not be requested: %s", run_id, to_one_line(error))
                break
            done.add(run_id)
        return done


def _local_executor(alias: str) -> InProcessExecutor | None:
    """The executor, if it executes in this process. A broken executor is logged; the others still work."""
    try:
        executor = executors[alias]
    except ExecutorError as error:
        logger.error("%s", error)
        return None
    return executor if isinstance(executor, InProcessExecutor) else None
