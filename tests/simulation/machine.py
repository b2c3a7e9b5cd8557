"""One simulated host as the supervisor and the keeper see it: locks, wake sockets, keepers, and the command's tree."""

from __future__ import annotations

import signal
from collections.abc import Collection, Mapping
from typing import Any, Self
from uuid import UUID

from chroniker.process.keeper import Keeper
from chroniker.process.keeper_client import KeeperClient
from chroniker.process.keeper_process import await_next_run
from chroniker.process.keeper_protocol import KeeperConnection
from chroniker.process.process_tree import KillResult, SurvivingProcess
from tests.simulation import channels
from tests.simulation.command import Command
from tests.simulation.guards import ForkServer, KeeperProcess, LockFile, fork_server_of
from tests.simulation.processes import Process
from tests.simulation.world import active

SWEEP_SECONDS = 0.02
NOT_OURS_TIMEOUT = 5.0


class Lock:
    """A run's file lock: held as long as its supervisor, its keeper or the keeper's parent lives."""

    def __init__(self, run_id: UUID, file: LockFile) -> None:
        self.run_id, self.file = run_id, file

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        active().check_alive()
        self.file.holders.discard(active().process)
        if kind is None:
            active().process.host.locks.pop(self.run_id, None)


def is_lock_held(runtime_dir: object, run_id: UUID) -> bool | None:
    """As `run_lock.is_lock_held`. None: this host has no such file."""
    file = active().process.host.locks.get(run_id)
    return None if file is None else file.is_held


def kill_leftover_processes(
    runtime_dir: object, *, already_swept: Mapping[UUID, float] | None = None, minimum_age: float = float("-inf")
) -> dict[UUID, float]:
    """As `run_lock.kill_leftover_processes`."""
    swept = {}
    for run_id, file in list(active().process.host.locks.items()):
        is_known = already_swept is not None and already_swept.get(run_id) == file.taken_at
        if not is_known and active().now - file.taken_at >= minimum_age and not file.is_held:
            swept[run_id] = file.taken_at
            kill_processes_with_run_marker(run_id)
    return swept


def kill_processes_with_run_marker(run_id: UUID, keeper: int = 0) -> list[SurvivingProcess]:
    """As `run_marker.kill_processes_with_run_marker`, on the machine of the calling process."""
    world = active()
    if keeper in world.processes:
        found = world.processes[keeper]
        _kill([*found.descendants(), found])
    world.block(SWEEP_SECONDS)
    machine = world.process.host.machine
    _kill([each for each in world.processes.values() if each.host.machine is machine and each.marker == run_id])
    return []


def _kill(processes: Collection[Process]) -> list[Process]:
    """Returns those that belong to another user and live on."""
    for each in processes:
        if each.ours:
            each.kill()
    return [each for each in processes if not each.dead]


def process_state(pid: int) -> str:
    """As `process_tree.process_state`."""
    return "S" if pid in active().processes else ""


class WakeSocket:
    def __init__(self, run_id: UUID) -> None:
        self.far, self.near = channels.pair()
        process = active().process
        self.near.belongs_to(process)
        self.sockets, self.run_id = process.host.wake_sockets, run_id
        self.sockets[run_id] = self.far

    def fileno(self) -> int:
        return self.near.fileno()

    def clear(self) -> None:
        self.near.data.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        active().check_alive()
        self.sockets.pop(self.run_id, None)
        self.near.close()


class SimulatedKeeperClient(KeeperClient):
    @property
    def alive_pid(self) -> int:
        return self.pid if self.pid in active().processes else 0

    def release(self) -> None:
        """As the product's, but idle keepers are kept by the simulated process."""
        if self.ended is not None and self.ended.get("waits") and self.alive_pid:
            active().process.idle_keepers.append((active().processes[self.pid], self.connection))
            self._is_handed_on = True
        self.close()


class Tree:
    """The command's tree, in the keeper's process."""

    def __init__(self, out: channels.End) -> None:
        self._me, self._out = active().process, out
        self._readable, self._bell = channels.pair()
        self._readable.belongs_to(self._me)
        self._command: Command | None = None
        self._group: list[Process] = []
        self.status: int | None = None
        self.cpu_seconds, self.max_rss_kb = 0.0, 0

    def fileno(self) -> int:
        return self._readable.fileno()

    def clear_wakeup(self) -> None:
        self._readable.data.clear()

    def start(self, spec: Any) -> int:
        self._command = Command(self._out, spec, self._me, self._bell)
        return self._command.pid

    def reap(self) -> bool:
        if self._command is not None and self._command.dead:
            self.status = self._command.exit_code
        return bool(self._me.descendants())

    def signal(self, number: int) -> None:
        if number == signal.SIGTERM:
            for each in self._me.descendants():
                each.terminate()

    def kill(self) -> KillResult:
        seconds = active().kill_seconds
        active().block(active().rng.expovariate(200) if seconds is None else seconds)
        found = self._me.descendants()
        left = _kill(found)
        if left:
            active().block(NOT_OURS_TIMEOUT)
            left = [each for each in left if not each.dead]
        self.reap()
        survivors = [SurvivingProcess(each.pid, "", each.name) for each in left]
        return KillResult(count=len(found) - len(left), names=[each.name for each in found], survivors=survivors)


class SimulatedHost:
    """`chroniker.worker.machine.Machine`, for a supervisor on this host."""

    def take_lock(self, run_id: UUID) -> Lock | None:
        process = active().process
        file = process.host.locks.setdefault(run_id, LockFile(active().now))
        if file.is_held:
            return None
        file.taken_at = active().now
        file.holders.add(process)
        return Lock(run_id, file)

    def open_wake_socket(self, run_id: UUID) -> WakeSocket:
        return WakeSocket(run_id)

    def create_selector(self) -> channels.Selector:
        return channels.Selector()

    def start_keeper(self, lock: Lock) -> KeeperClient:
        """A keeper, as the fork server makes one: it inherits the connection, the pipes and the lock."""
        world, supervisor = active(), active().process
        world.block(world.rng.expovariate(50))
        while supervisor.idle_keepers:
            idle, connection = supervisor.idle_keepers.pop()
            again = self._reuse_idle_keeper(idle, connection, lock)
            if again is not None:
                return again
        near, far = channels.pair()
        out, out_end = channels.pair()
        err, err_end = channels.pair()
        shared = channels.End(supervisor)
        server = fork_server_of(supervisor.host)
        keeper = KeeperProcess(server, f"keeper of {supervisor.name}")
        server.keep(keeper, lock.file, far)
        for end in (near, out, err):
            end.belongs_to(supervisor)
        far.belongs_to(keeper, server)
        for end in (out_end, err_end):
            end.belongs_to(keeper)
        client = SimulatedKeeperClient(_connection(near), out.number, err.number, shared.number)
        keeper.start(_guard, keeper, far, out_end, lock.file)
        if not client.wait_until_ready():
            client.close()
            raise OSError("its keeper did not start")
        return client

    def _reuse_idle_keeper(
        self, keeper: KeeperProcess, connection: KeeperConnection, lock: Lock
    ) -> KeeperClient | None:
        if keeper.dead or not isinstance(keeper.parent, ForkServer):
            return None
        out, out_end = channels.pair()
        err, err_end = channels.pair()
        for end in (out, err):
            end.belongs_to(active().process)
        for end in (out_end, err_end):
            end.belongs_to(keeper)
        keeper.parent.hold(keeper, lock.file)
        keeper.next_files = (out_end, lock.file)
        connection.send(next=True)
        client = SimulatedKeeperClient(connection, out.number, err.number, channels.End(active().process).number)
        if client.wait_until_ready():
            active().note("a keeper serves another run")
            return client
        client.close()
        return None

    def kill_processes_with_run_marker(self, run_id: UUID, keeper: int) -> list[SurvivingProcess]:
        return kill_processes_with_run_marker(run_id, keeper)


def _connection(end: Any) -> KeeperConnection:
    return KeeperConnection(end)


def _guard(keeper: KeeperProcess, far: channels.End, out: channels.End, lock: LockFile) -> None:
    """As the loop of `keeper_process`."""
    connection, parent = _connection(far), keeper.parent
    while Keeper(connection, Tree(out), is_last=not active().keepers_serve_again).run():
        lock.holders.discard(keeper)
        if not await_next_run(connection) or keeper.parent is not parent or keeper.next_files is None:
            break
        out, lock = keeper.next_files
        lock.holders.add(keeper)
    keeper.kill()
