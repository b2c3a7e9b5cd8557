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
        self.locks: dict[Any, set[Process]] = {}  #: run id -> holders; a key without holders: the file exists
        self.wake_sockets: dict[Any, Any] = {}

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
        self.locks.clear()
        self.wake_sockets.clear()


class Process:
    """A process. ``role`` is what faults choose by: scheduler, supervisor, keeper, command, person."""

    def __init__(self, host: Host, name: str, role: str = "", parent: Process | None = None) -> None:
        self.host, self.name, self.role, self.world = host, name, role, host.world
        self.pid = next(self.world.pids)
        self.dead = False
        self.paused_until = 0.0
        self.threads: list[Thread] = []
        self.at_death: list[Callable[[], None]] = []
        self.children: list[Process] = []
        self.marker: Any = None  #: the run id in its environment
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
        for thread in list(self.threads):
            thread.unwind()
        if self.world.transaction is not None and self.world.transaction.process is self:
            self.world.roll_back()
        for act in self.at_death:
            act()


class Thread:
    """A greenlet. ``number`` counts its turns: a wake-up for an earlier turn is void."""

    def __init__(self, process: Process, target: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self.process, self.number = process, 0
        self.database: Any = None  #: its connection
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
