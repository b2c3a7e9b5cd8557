"""The interface between a supervisor and its host. A simulation passes another implementation."""

from __future__ import annotations

import selectors
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from uuid import UUID

from chroniker.process import run_marker
from chroniker.process.fork_server_client import ForkServer
from chroniker.process.keeper_client import KeeperClient
from chroniker.process.process_tree import SurvivingProcess
from chroniker.worker.run_lock import RunLock
from chroniker.worker.wake_socket import WakeSocket


class Machine(Protocol):
    """Locks, sockets and processes of one host."""

    def take_lock(self, run_id: UUID) -> RunLock | None:
        """Take the run's file lock; None while another process of this host holds it."""

    def open_wake_socket(self, run_id: UUID) -> WakeSocket:
        """Open the socket by which other processes wake this supervisor."""

    def start_keeper(self, lock: RunLock) -> KeeperClient:
        """Start a keeper, which waits for its run. Raises ``OSError`` if the keeper cannot be started."""

    def kill_processes_with_run_marker(self, run_id: UUID, keeper: int) -> list[SurvivingProcess]:
        """Kill the remaining processes of a run and its keeper; returns the processes that survived."""

    def create_selector(self) -> selectors.BaseSelector:
        """Create the selector of the supervisor's loop."""


@dataclass(frozen=True, slots=True)
class LocalMachine:
    """The real host."""

    runtime_dir: Path
    fork_server: ForkServer | None = None  #: without a fork server every keeper is started cold

    def take_lock(self, run_id: UUID) -> RunLock | None:
        return RunLock.take(self.runtime_dir, run_id)

    def open_wake_socket(self, run_id: UUID) -> WakeSocket:
        return WakeSocket(self.runtime_dir, run_id)

    def start_keeper(self, lock: RunLock) -> KeeperClient:
        return KeeperClient.start(self.fork_server, lock.descriptor)

    def kill_processes_with_run_marker(self, run_id: UUID, keeper: int) -> list[SurvivingProcess]:
        return run_marker.kill_processes_with_run_marker(run_id, keeper)

    def create_selector(self) -> selectors.BaseSelector:
        return selectors.DefaultSelector()
