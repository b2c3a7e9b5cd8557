"""A loop of ticks in one process: the time of the next tick, and the back-off while the database cannot be used."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection

from django.db import Error

from chroniker.conf import settings
from chroniker.eligibility import hosts
from chroniker.process.alive_file import LOOP_INTERVAL_SECONDS, AliveFile
from chroniker.process.kernel import host_clock
from chroniker.scheduler import dispatch, tick, tick_result
from chroniker.scheduler.database_errors import explain_database_error
from chroniker.scheduler.kept_connection import PersistentConnection
from chroniker.scheduler.local_runs import LocalRuns
from chroniker.scheduler.pending_work_queries import next_due_time
from chroniker.scheduler.shutdown_signals import ShutdownSignals
from chroniker.scheduler.tick_record import TickRecorder
from chroniker.scheduler.watch import FleetWatch

logger = logging.getLogger(__name__)

MAX_BACKOFF_SECONDS = 30.0


class TickLoop:
    """Ticks when something is due, and at least every ``period`` seconds, to notice edits and lost runs."""

    def __init__(
        self,
        period: float,
        on_result: Callable[[tick_result.TickResult], None],
        only: Collection[int] | None = None,
        *,
        kind: str = "",
    ) -> None:
        """``kind``: the name of the program, under which its passes are recorded. Empty: they are not recorded."""
        self._period, self._on_result, self._only = period, on_result, only
        self._record = TickRecorder(kind, period) if kind else None
        self._watch = FleetWatch()
        self._has_begun = False
        self._heartbeat_at = -hosts.HEARTBEAT_SECONDS
        self._alive = AliveFile(kind, lambda: settings.runtime_dir) if kind else None
        self._reports: Callable[[], list[hosts.WorkerReport]] = list
        self._unusable_since: float | None = None
        self._tries = 0
        self.connection = PersistentConnection()

    def tick_until_shutdown(self, runs: LocalRuns, shutdown: ShutdownSignals) -> None:
        """Tick until a shutdown signal. Database errors are retried; any other error is a defect and ends the loop."""
        self._reports = runs.worker_reports
        while not shutdown:
            self.touch_alive_file()
            pause = self._call_or_back_off(self.tick_and_record_pass)
            until = host_clock.monotonic() + pause
            while not shutdown and (left := until - host_clock.monotonic()) > 0:
                self.touch_alive_file()
                runs.wait(min(left, LOOP_INTERVAL_SECONDS))
                if self._is_heartbeat_due and self._unusable_since is None:
                    self._call_or_back_off(self._send_heartbeat)
        self.close()

    def touch_alive_file(self) -> None:
        """Write the alive file, so that probes see that this loop works. Also done while no database works."""
        if self._alive is not None:
            self._alive.touch()

    def remove_alive_file(self) -> None:
        if self._alive is not None:
            self._alive.remove()

    def _call_or_back_off(self, function: Callable[[], float]) -> float:
        try:
            pause = function()
        except Error as error:
            return self._back_off(error)
        finally:
            self.connection.release()
        self._log_recovery()
        return pause

    def tick_and_record_pass(self) -> float:
        """One tick. Returns how many seconds may pass until the next.

        1. Record this host's heartbeat, once a minute.
        2. Tick.
        3. Record the pass.
        4. Find the next due time after the start of this tick, so that jobs that became due during the tick are due
           now. A pass without work knows this time already.
        """
        self._send_heartbeat()
        result, seconds = self._measure_tick()
        self._on_result(result)
        ended = result.clock()
        if self._record is not None:
            self._record.record_pass(ended, seconds, len(result.claimed))
        moment = result.next_moment if result.next_moment_is_known else next_due_time(result.began or ended)
        if moment is None:
            return self._period
        return min(self._period, max(0.0, (moment - result.clock()).total_seconds()))

    def _measure_tick(self) -> tuple[tick_result.TickResult, float]:
        began = host_clock.monotonic()
        result = tick.tick(self._only)
        return result, host_clock.monotonic() - began

    def close(self) -> None:
        """Record the passes that are not recorded yet, and the end of this worker. Errors are logged."""
        self.remove_alive_file()
        try:
            hosts.record_worker_shutdowns(self._reports())
            if self._record is not None:
                self._record.close()
        except Error as error:
            logger.warning("The end of this process was not recorded. %s", explain_database_error(error))

    @property
    def _is_heartbeat_due(self) -> bool:
        return host_clock.monotonic() - self._heartbeat_at >= hosts.HEARTBEAT_SECONDS

    def _send_heartbeat(self) -> float:
        """Record this host's heartbeat if it is due. Also called between ticks, so that this host counts as live.

        A process whose passes are recorded also watches the workers.
        """
        if self._record is not None and not self._has_begun:
            dispatch.end_drain_of_this_host()  # the drain was for a deploy, and this process is its new version
            self._has_begun = True
        if self._is_heartbeat_due:
            hosts.record_heartbeat(self._reports())
            self._heartbeat_at = host_clock.monotonic()
        if self._record is not None and self._watch.is_due:
            self._watch.raise_or_end_alarms()
        return 0.0

    def _back_off(self, error: Error) -> float:
        """The database cannot be used: log it once, and return the back-off before the next try."""
        if self._unusable_since is None:
            self._unusable_since, self._tries = host_clock.monotonic(), 0
            logger.warning("The database cannot be used; trying again until it can. %s", explain_database_error(error))
        pause = min(2.0**self._tries, MAX_BACKOFF_SECONDS)
        self._tries += 1
        return pause

    def _log_recovery(self) -> None:
        if self._unusable_since is not None:
            logger.warning(
                "The database can be used again, after %.0f s.", host_clock.monotonic() - self._unusable_since
            )
            self._unusable_since = None
