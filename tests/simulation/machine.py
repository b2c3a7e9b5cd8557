"""One simulated host as the supervisor and the keeper see it: locks, wake sockets, keepers, and the command's tree."""

from __future__ import annotations

import signal
from typing import Any, Self
from uuid import UUID

from chroniker.process.keeper import Keeper
from chroniker.process.keeper_client import KeeperClient
from chroniker.process.keeper_protocol import KeeperConnection
from chroniker.process.process_tree import Killed
from tests.simulation import channels
from tests.simulation.command import Command
from tests.simulation.processes import Process
from tests.simulation.world import active

SWEEP_SECONDS = 0.02


class Lock:
    """A run's file lock: held as long as its supervisor or its keeper lives."""

    def __init__(self, run_id: UUID, holders: set[Process]) -> None:
        self.run_id, self.holders = run_id, holders

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        active().check_alive()
        self.holders.discard(active().process)
        if kind is None:
            active().process.host.locks.pop(self.run_id, None)


def is_held(runtime_dir: object, run_id: UUID) -> bool | None:
    """As `run_lock.is_held`. None: this host has no such file."""
    holders = active().process.host.locks.get(run_id)
    return None if holders is None else _any_alive(holders)


def _any_alive(holders: set[Process]) -> bool:
    return any(not process.dead for process in holders)


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

    def clear(self) -> None:
        self._readable.data.clear()

    def start(self, spec: Any) -> int:
        self._command = Command(self._out, spec, self._me, self._bell)
        return self._command.pid

    def reap(self) -> bool:
        for child in list(self._me.children):
            if child.dead:
                self._me.children.remove(child)
                if child is self._command:
                    self.status = self._command.exit_code
        return bool(self._me.children)

    def signal(self, number: int) -> None:
        if number == signal.SIGTERM and self._command is not None and not self._command.dead:
            self._command.terminate()

    def kill(self) -> Killed:
        seconds = active().kill_seconds
        active().block(active().rng.expovariate(200) if seconds is None else seconds)
        found = [child for child in self._me.children if not child.dead]
        for child in found:
            child.kill()
        self.reap()
        return Killed(count=len(found), names=[child.name for child in found])


class SimulatedHost:
    """`chroniker.worker.machine.Machine`, for a supervisor on this host."""

    def lock(self, run_id: UUID) -> Lock | None:
        process = active().process
        holders = process.host.locks.setdefault(run_id, set())
        if _any_alive(holders):
            return None
        holders.add(process)
        return Lock(run_id, holders)

    def wake_socket(self, run_id: UUID) -> WakeSocket:
        return WakeSocket(run_id)

    def selector(self) -> channels.Selector:
        return channels.Selector()

    def keeper(self, lock: Lock) -> KeeperClient:
        """A keeper, as the fork server makes one: it inherits the connection, the pipes and the lock."""
        world, supervisor = active(), active().process
        world.block(world.rng.expovariate(50))
        near, far = channels.pair()
        out, out_end = channels.pair()
        err, err_end = channels.pair()
        shared = channels.End(supervisor)
        keeper = Process(supervisor.host, f"keeper of {supervisor.name}", "keeper")
        for end in (near, out, err):
            end.belongs_to(supervisor)
        for end in (far, out_end, err_end):
            end.belongs_to(keeper)
        lock.holders.add(keeper)
        client = SimulatedKeeperClient(_connection(near), out.number, err.number, shared.number)
        keeper.start(_guard, keeper, far, out_end)
        if not client.wait_ready():
            client.close()
            raise OSError("its keeper did not start")
        return client

    def kill_marked(self, run_id: UUID, keeper: int) -> list[str]:
        world = active()
        if keeper in world.processes:
            world.processes[keeper].kill()
        world.block(SWEEP_SECONDS)
        for process in list(world.processes.values()):
            if process.host is world.process.host and process.marker == run_id:
                process.kill()
        return []


def _connection(end: Any) -> KeeperConnection:
    return KeeperConnection(end)


def _guard(keeper: Process, far: channels.End, out: channels.End) -> None:
    Keeper(_connection(far), Tree(out)).run()
    keeper.kill()
