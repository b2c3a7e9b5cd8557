"""Hosts with clocks of their own, and processes whose threads are greenlets."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import greenlet

if TYPE_CHECKING:
    from tests.simulation.world import World

EPOCH = 1_767_222_000.0  #: true time 0 as Unix time: 2025-12-31 23:00 UTC


class Killed(BaseException):
    """Unwinds the stack of a process that is dead. Nothing that its code does on the way has an effect."""


class Host:
    """A machine. ``settings`` override Django's settings for the processes on it."""

    def __init__(self, world: World, name: str, **settings: Any) -> None:
        self.world, self.name, self.settings = world, name, settings
        self.drift = 0.0  #: its clocks gain this many seconds in each second
        self.boot_at_zero = 1000.0 + world.rng.random() * 1e5
        self.wall_offset = 0.0
        self.paused_until = 0.0  #: true time; no process of it runs before
        self.unreachable_until = 0.0  #: true time; no process of it reaches the database before
        self.boots = 0
        self.clock_state: Any = None  #: the file in which a host keeps what it knows of the database's clock
        self.locks: dict[Any, Any] = {}  #: the lock files of its runtime directory, by run id
        self.wake_sockets: dict[Any, Any] = {}
        self.fork_server: Any = None
        self.idle_workers: list[Process] = []  #: processes of a worker that execute no run now
        self.zone_rules = "2025a"  #: the version of its time zone database
        self.zones: dict[str, Any] = {}  #: by name, what it has instead of the real zone; None: it lacks this zone
        self.machine = self  #: hosts of one machine see each other's processes, and have directories of their own

    def boot(self) -> float:
        return self.boot_at_zero + self.world.now * (1 + self.drift)

    def wall(self) -> float:
        return EPOCH + self.world.now + self.wall_offset

    def reboot(self) -> None:
        for process in [each for each in self.world.processes.values() if each.host is self]:
            process.kill()
        self.boots += 1
        self.boot_at_zero = 10.0 - self.world.now * (1 + self.drift)
        self.clock_state = None
        self.forget_processes()

    def forget_processes(self) -> None:
        """All of them are dead, and their files are gone."""
        self.locks.clear()
        self.wake_sockets.clear()
        self.fork_server = None


class Process:
    """A process. ``role`` is what faults choose by: scheduler, worker, supervisor, keeper, command, person, and so on.

    ``dies_with_parent``: the parent-death signal. A process that loses its parent becomes a child of the nearest living
    subreaper above it, if there is one.
    """

    subreaper = False
    dies_with_parent = False
    ours = True  #: False: it belongs to another user, and our SIGKILL does not reach it

    def __init__(self, host: Host, name: str, role: str = "", parent: Process | None = None) -> None:
        self.host, self.name, self.role, self.world = host, name, role, host.world
        self.pid = next(self.world.pids)
        self.dead = False
        self.paused_until = 0.0
        self.pass_began_at = host.world.now  #: at the latest: the begin of the claims that it makes now
        self.threads: list[Thread] = []
        self.at_death: list[Callable[[], None]] = []
        self.children: list[Process] = []
        self.parent = parent
        self.marker: Any = None  #: the run id in its environment
        self.idle_keepers: list[Any] = []  #: of a worker's process: keepers between two runs
        self.slot: tuple[Any, str] = ("", "")  #: of a command's process: its job and slot, by the witness
        if parent is not None:
            parent.children.append(self)
        self.world.processes[self.pid] = self

    def start(self, target: Callable[..., Any], *args: Any, delay: float = 0.0) -> Thread:
        thread = Thread(self, target, args)
        self.world.resume(thread, thread.number, delay)
        return thread

    @property
    def resumes_at(self) -> float:
        return max(self.paused_until, self.host.paused_until)

    def kill(self) -> None:
        """SIGKILL. The kernel's effects happen at once; code of the process has no further effect."""
        if self.dead:
            return
        self.dead = True
        self.world.note("process dies", self.name, self.host.name)
        self.world.processes.pop(self.pid, None)
        if self.world.row_locks:
            self.world.end_sessions(self)
        for thread in list(self.threads):
            thread.unwind()
        if self.world.transaction is not None and self.world.transaction.process is self:
            self.world.roll_back()
        for child in [each for each in self.children if not each.dead]:
            child.lose_parent()
        for act in self.at_death:
            act()

    def terminate(self) -> None:
        """SIGTERM, of which most take no notice."""

    def lose_parent(self) -> None:
        if self.dies_with_parent:
            self.kill()
            return
        above = self.parent
        while above is not None and (above.dead or not above.subreaper):
            above = above.parent
        self.parent = above
        if above is not None:
            above.children.append(self)

    def descendants(self) -> list[Process]:
        """All living processes below this one."""
        found: list[Process] = []
        for child in self.children:
            found += [] if child.dead else [child, *child.descendants()]
        return found


class Thread:
    """A greenlet. ``number`` counts its turns: a wake-up for an earlier turn is void."""

    def __init__(self, process: Process, target: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self.process, self.number = process, 0
        self.database: Any = None  #: its connection
        self.wrote_runs_at = 0.0  #: the begin of its last statement that did so: it read what was committed by then
        self.greenlet = greenlet.greenlet(lambda _value=None: self._run(target, args), process.world.hub)
        process.threads.append(self)

    def _run(self, target: Callable[..., Any], args: tuple[Any, ...]) -> None:
        try:
            target(*args)
        except Killed:
            pass
        except Exception as error:  # a process that fails ends; its death is an event like any other
            self.process.world.failed(self.process, error)
        if self in self.process.threads:
            self.process.threads.remove(self)

    @property
    def in_transaction(self) -> bool:
        world = self.process.world
        return self in world.transactions if world.row_locks else world.transaction is self

    def unwind(self) -> None:
        """Its process is dead. The thread that runs now unwinds at its next call of the world."""
        self.number += 1
        world = self.process.world
        if self.greenlet is greenlet.getcurrent() or self.greenlet.dead or not self.greenlet:
            return
        before, world.current = world.current, self
        self.greenlet.parent = greenlet.getcurrent()
        self.greenlet.throw(Killed)
        world.current = before
