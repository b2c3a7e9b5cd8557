"""Remaining processes of runs on this host whose supervisor and keeper are dead."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from chroniker.process import run_marker
from chroniker.process.fork_server_client import ForkServer
from chroniker.process.kernel import host_clock
from chroniker.process.process_tree import SurvivingProcess
from chroniker.worker import run_lock

log = logging.getLogger(__name__)

_FORK_SERVER_CHECK_SECONDS = 1.0
_MIN_LOCK_FILE_AGE = 5.0  #: seconds; a lock file is created microseconds before it is locked


@dataclass(frozen=True, slots=True)
class HostProcesses:
    """Finds and kills processes of this host's runs, for a tick that is about to close runs as lost."""

    host: str
    runtime_dir: Path
    has_lock_files: (
        bool  #: a free lock means that the run is dead, a held lock that it lives; the lease does not matter
    )

    def is_run_lock_held(self, run_id: UUID) -> bool | None:
        """Whether a process of this host may be executing the run. None: unknown, no lock file on this host."""
        return run_lock.is_lock_held(self.runtime_dir, run_id)

    def kill_remaining_processes(self, run_id: UUID) -> list[SurvivingProcess]:
        """Kill the remaining processes of a run without keeper; returns the processes that survived.

        Limit: it finds only processes of this user that still have the run's mark in their environment.
        """
        return run_marker.kill_processes_with_run_marker(run_id)


class LeftoverProcessSweeper(threading.Thread):
    """Sweeps periodically in a long-lived process, so that remaining processes of a run are dead before its lease ends.

    It also starts this process's fork server again if it was killed.
    """

    def __init__(self, runtime_dir: Path, interval: float, fork_server: ForkServer | None = None) -> None:
        super().__init__(name="chroniker-sweeper", daemon=True)
        self._runtime_dir = runtime_dir
        self._interval = interval
        self._fork_server = fork_server
        self._ended = threading.Event()
        self._swept: dict[UUID, float] = {}  #: each run, with the time at which its lock was taken

    def run(self) -> None:
        sweep_at = host_clock.monotonic() + self._interval
        while not self._ended.wait(min(self._interval, _FORK_SERVER_CHECK_SECONDS)):
            try:
                if self._fork_server is not None:
                    self._fork_server.restart_if_killed()
                if host_clock.monotonic() >= sweep_at:
                    sweep_at = host_clock.monotonic() + self._interval
                    self.sweep()
            except (
                OSError
            ) as error:  # the directory belongs to another user (each run reports that), or no memory is left
                log.debug("the search for remaining processes failed: %s", error)

    def sweep(self) -> None:
        swept = run_lock.kill_leftover_processes(
            self._runtime_dir, already_swept=self._swept, minimum_age=_MIN_LOCK_FILE_AGE
        )
        if swept:
            log.warning("runs whose supervisor had died: %s; their processes were killed", ", ".join(map(str, swept)))
        self._swept.update(swept)

    def end(self) -> None:
        self._ended.set()
