"""What runs of this host left behind: processes whose supervisor and keeper are dead."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from chroniker.process import run_marker
from chroniker.process.fork_server_client import ForkServer
from chroniker.process.kernel import clock
from chroniker.process.process_tree import Survivor
from chroniker.worker import run_lock

log = logging.getLogger(__name__)

_REVIVE_SECONDS = 1.0
_MINIMUM_AGE = 5.0  #: of a lock file: between creating it and locking it pass microseconds


@dataclass(frozen=True, slots=True)
class HostProcesses:
    """What a tick can know about, and do to, the processes of this host's runs before it closes them as lost."""

    host: str
    runtime_dir: Path
    locks_decide: bool  #: a free lock is a dead run, a held one a living run, whatever the lease says

    def is_held(self, run_id: UUID) -> bool | None:
        """Whether something of this host is, or may be, executing the run; None: its lock file is not here."""
        return run_lock.is_held(self.runtime_dir, run_id)

    def kill_remaining(self, run_id: UUID) -> list[Survivor]:
        """Kill what is left of a run that nothing guards any more; the processes that survived.

        It finds processes of this user that kept the run's mark in their environment.
        """
        return run_marker.kill_marked_processes(run_id)


class RemainsSweeper(threading.Thread):
    """Sweeps in a process that stays: what is left of a run is dead before its lease ends and its job may run again.

    It also starts a fork server of this process again that was killed.
    """

    def __init__(self, runtime_dir: Path, every: float, fork_server: ForkServer | None = None) -> None:
        super().__init__(name="chroniker-sweeper", daemon=True)
        self._runtime_dir = runtime_dir
        self._every = every
        self._fork_server = fork_server
        self._ended = threading.Event()
        self._swept: set[UUID] = set()

    def run(self) -> None:
        sweep_at = clock.monotonic() + self._every
        while not self._ended.wait(min(self._every, _REVIVE_SECONDS)):
            try:
                if self._fork_server is not None:
                    self._fork_server.revive()
                if clock.monotonic() >= sweep_at:
                    sweep_at = clock.monotonic() + self._every
                    self.sweep()
            except OSError as error:  # the directory is not ours, which each run reports itself; or no memory
                log.debug("remaining processes were not looked for: %s", error)

    def sweep(self) -> None:
        swept = run_lock.sweep_leftovers(self._runtime_dir, known=self._swept, minimum_age=_MINIMUM_AGE)
        if swept:
            log.warning("runs whose supervisor had died: %s; their processes were killed", ", ".join(map(str, swept)))
        self._swept.update(swept)

    def end(self) -> None:
        self._ended.set()
