"""Runs that execute in this process: wait for them, claim what waited for them, end them in order."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection
from types import TracebackType
from typing import Self
from uuid import UUID

from django.db import Error, close_old_connections

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.conf import settings
from chroniker.escaping import one_line
from chroniker.exceptions import ExecutorError
from chroniker.executors import HostedExecutor, executors
from chroniker.scheduler import stopping, tick, tick_result
from chroniker.scheduler.shutdown_signals import ShutdownSignals
from chroniker.worker import run_lock
from chroniker.worker.run_remains import RemainsSweeper

logger = logging.getLogger(__name__)

#: Signals are checked this often while runs execute here.
POLL_SECONDS = 0.25


class LocalRuns:
    """The executors that execute in this process, open from ``with`` on; leaving waits until their runs have ended.

    Asked to end once, it claims nothing more, gives back the runs that have not begun, and waits for the others:
    ``drain`` seconds, or however long they take. After that they are stopped because their process ends, and their
    jobs' policy for that decides. Asked a second time, or with ``stops``, it asks them to stop, as a person would.
    """

    def __init__(
        self,
        asked: ShutdownSignals,
        *,
        who: str,
        aliases: Collection[str] | None = None,
        drain: float | None = None,
        stops: bool = False,
        tell: Callable[[tick_result.TickResult], None] | None = None,
        say: Callable[[str], None] = logger.info,
        on_end: Callable[[int], None] = lambda job_id: None,
    ) -> None:
        """``who``: this process, for the record. ``tell`` gets what a pass did; without it nothing is reconsidered."""
        self._asked, self._who, self._aliases, self._drain, self._stops = asked, who, aliases, drain, stops
        self._tell, self._say, self._on_end = tell, say, on_end
        self._open: list[HostedExecutor] = []
        self._sweeper = RemainsSweeper(settings.runtime_dir, settings.heartbeat.total_seconds())

    def __enter__(self) -> Self:
        self._open = [executor for executor in map(_executor, self._aliases or executors) if executor is not None]
        if self._open:
            run_lock.sweep_leftovers(settings.runtime_dir)
            self._sweeper.start()
        for executor in self._open:
            executor.open()
        return self

    @property
    def aliases(self) -> list[str]:
        """The executors whose runs execute in this process."""
        return [executor.alias for executor in self._open]

    @property
    def busy(self) -> bool:
        return any(executor.busy for executor in self._open)

    @property
    def running(self) -> list[UUID]:
        return [run_id for executor in self._open for run_id in executor.running]

    def wait(self, seconds: float) -> None:
        """Wait so long, or until a run ends or a signal comes. Claims at once what waited for an ended run."""
        busy = [executor for executor in self._open if executor.busy]
        if not busy:
            self._asked.wait(seconds)
        for executor in busy:
            for job_id in executor.finished(min(seconds, POLL_SECONDS) / len(busy)):
                self._on_end(job_id)
                self._reconsider(job_id)

    def wait_for_all(self) -> None:
        """Wait until nothing runs here, or until a shutdown signal."""
        while self.busy and not self._asked:
            self.wait(POLL_SECONDS)

    def _reconsider(self, job_id: int) -> None:
        if self._tell is None or self._asked:
            return
        close_old_connections()  # the last time may be hours ago
        try:
            self._tell(tick.claim_after_run(job_id))
        except Error as error:  # the runs here go on without a database, for a lease; the next tick reconsiders
            logger.warning("What waits for job %s was not reconsidered: %s", job_id, one_line(error))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._end()
        finally:
            self._sweeper.end()
            for executor in self._open:
                executor.close()

    def _end(self) -> None:
        self._tell = None
        self._give_back()
        if self.busy and self._asked and self._drain != 0:
            self._say(f"Waiting for {len(self.running)} runs to end; to stop them, send the signal again.")
        end = float("inf") if self._drain is None else time.monotonic() + self._drain
        while self.busy and self._asked.count < 2 and time.monotonic() < end:
            self.wait(POLL_SECONDS)
        if not self._stops and self._asked.count < 2:
            for executor in self._open:
                executor.end_runs()
        unasked = set(self.running)
        while self.busy:
            if self._stops or self._asked.count >= 2:
                unasked -= self._ask_to_stop(unasked)
            self.wait(POLL_SECONDS)

    def _give_back(self) -> None:
        waiting = [run_id for executor in self._open for run_id in executor.give_back()]
        try:
            if waiting:
                lifecycle.record_not_accepted(waiting, database_now())
        except Error as error:  # then they are offered again a little later
            logger.warning("%d runs that had not begun were not given back: %s", len(waiting), one_line(error))

    def _ask_to_stop(self, run_ids: Collection[UUID]) -> set[UUID]:
        """Those that were asked, or had ended."""
        asked = set()
        for run_id in run_ids:
            try:
                stopping.stop(run_id, self._who)
            except Error as error:  # asked again after the next wait
                logger.warning("Run %s was not asked to stop: %s", run_id, one_line(error))
                break
            asked.add(run_id)
        return asked


def _executor(alias: str) -> HostedExecutor | None:
    """The executor, if it executes in the process that dispatches. A broken one shall not keep the others from work."""
    try:
        executor = executors[alias]
    except ExecutorError as error:
        logger.error("%s", error)
        return None
    return executor if isinstance(executor, HostedExecutor) else None
