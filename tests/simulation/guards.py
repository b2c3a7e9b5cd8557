"""The guards of a run that are no code of the product here: lock files, keepers' processes, and their parent."""

from __future__ import annotations

from functools import partial

from tests.simulation.channels import End
from tests.simulation.processes import Host, Process


class LockFile:
    """A lock file: held while one of its holders lives."""

    def __init__(self, taken_at: float) -> None:
        self.taken_at = taken_at
        self.holders: set[Process] = set()

    @property
    def is_held(self) -> bool:
        return any(not process.dead for process in self.holders)


class KeeperProcess(Process):
    """The process in which a keeper runs."""

    subreaper = True

    def __init__(self, server: ForkServer, name: str) -> None:
        super().__init__(server.host, name, "keeper", server)
        self.next_files: tuple[End, LockFile] | None = None  #: of the run that it serves next


class ForkServer(Process):
    """The parent of a host's keepers, as `KeeperParent`: it kills what a dead keeper leaves, then lets its lock go."""

    subreaper = True

    def __init__(self, host: Host) -> None:
        super().__init__(host, f"fork server {next(host.world.numbers)} of {host.name}", "fork server")

        self._locks: dict[KeeperProcess, LockFile] = {}

    def keep(self, keeper: KeeperProcess, lock: LockFile, control: End) -> None:
        lock.holders |= {keeper, self}
        self._locks[keeper] = lock
        keeper.at_death.append(partial(self._bury_soon, keeper, control))

    def hold(self, keeper: KeeperProcess, lock: LockFile) -> None:
        """Hold the lock of a keeper's next run: at once, since a request under way holds it, too."""
        if keeper in self._locks and not self.dead:
            self._locks[keeper].holders.discard(self)
            self._locks[keeper] = lock
            lock.holders.add(self)

    def _bury_soon(self, keeper: KeeperProcess, control: End) -> None:
        if not self.dead:
            self.world.after(self.world.rng.expovariate(500), partial(self._bury, keeper, control))

    def _bury(self, keeper: KeeperProcess, control: End) -> None:
        if self.dead:
            return
        if self.resumes_at > self.world.now:
            self.world.at(self.resumes_at + self.world.jitter(), partial(self._bury, keeper, control))
            return
        for child in [each for each in self.children if each.role != "keeper" and not each.dead]:
            for process in [child, *child.descendants()]:
                if process.ours:
                    process.kill()
        self.children = [each for each in self.children if not each.dead]
        self._locks.pop(keeper).holders.discard(self)
        control.let_go(self)


def fork_server_of(host: Host) -> ForkServer:
    """A host starts another one when it needs a keeper and its fork server is dead."""
    if host.fork_server is None or host.fork_server.dead:
        host.fork_server = ForkServer(host)
    server: ForkServer = host.fork_server
    return server


def guards_of(supervisor: Process) -> list[Process]:
    """The supervisor, its keepers and their parent; nothing else kills the processes of its run."""
    keepers = [
        each
        for each in supervisor.world.processes.values()
        if each.role == "keeper" and each.name.endswith(f" {supervisor.name}")
    ]
    parents = [each.parent for each in keepers if each.parent is not None]
    return list(dict.fromkeys([supervisor, *keepers, *parents]))
