"""The simulated world: virtual time, one heap of events, one seed.

One event is taken from the heap at a time. Events of the same moment are ordered by random delays from the seed. A
thread of the product runs until it calls something that waits (a statement, a sleep, a lock, a poll): there other
threads run, and there a process may be killed.
"""

from __future__ import annotations

import hashlib
import heapq
import itertools
import random
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import greenlet

from tests.simulation.conditions import INFINITY, Conditions, Fault
from tests.simulation.processes import Host, Killed, Process, Thread

if TYPE_CHECKING:
    from tests.simulation.actors import Broker
    from tests.simulation.checker.promises import Promises
    from tests.simulation.checker.witness import Witness

MAX_EVENTS = 40_000  #: a history with more has a loop in which no time passes


class World(Conditions):
    def __init__(self, seed: int, verbose: bool = False) -> None:
        self.seed, self.rng, self.verbose = seed, random.Random(seed), verbose
        self.now = 0.0
        self.hub = greenlet.getcurrent()
        self.current: Thread | None = None
        self.heap: list[tuple[float, int, Callable[[], None]]] = []
        self.numbers, self.pids = itertools.count(), itertools.count(100)
        self.processes: dict[int, Process] = {}
        self.hosts: dict[str, Host] = {}
        self.digest = hashlib.sha256()
        self.history: list[str] = []
        self.violations: list[str] = []
        self.errors: list[str] = []
        self.counts: dict[str, int] = {}
        self.events = self.statements = 0
        self.database_offset = self.offset_before = 0.0
        self.transaction: Thread | None = None  #: the holder of the database's one write lock
        self.waiting: list[Thread] = []
        self.transactions: set[Thread] = set()  #: of that one, the threads that are in a transaction
        self.faults: dict[str, float] = {}  #: by kind, the probability
        self.opportunities: Counter[str] = Counter()
        self.fired: list[Fault] = []
        self.written: set[str] = set()  #: tables that were written since the last commit
        self.witness: Witness
        self.promises: Promises
        self.broker: Broker
        self.after_commit: Callable[[], None] = lambda: None
        self.roll_back: Callable[[], None] = lambda: None
        self.end_sessions: Callable[[Process], None] = lambda process: None
        self.before_turn: Callable[[], None] = lambda: None

    # -- the record ------------------------------------------------------------------------------------------

    def note(self, event: str, *details: Any) -> None:
        self.counts[event] = self.counts.get(event, 0) + 1
        line = f"{self.now:10.6f}  {event}: {' '.join(map(str, details))}"
        self.digest.update(line.encode())
        self.history.append(line)
        if self.verbose:
            print(line)

    def violated(self, promise: str, text: str) -> None:
        self.violations.append(f"{promise}: {text} (at {self.now:.3f} s)")
        self.note("VIOLATION", promise, text)

    def failed(self, process: Process, error: Exception) -> None:
        self.note("process fails", process.name, type(error).__name__)
        self.errors.append(f"{self.now:.3f} {process.name}: " + "".join(traceback.format_exception(error)[-4:]))
        process.kill()

    def chance(self, fault: str) -> bool:
        """Whether a fault of this kind happens at this opportunity."""
        rate = self.faults.get(fault, 0.0)
        return rate > 0 and self.happens(fault, self.rng.random() < rate)

    def happens(self, fault: str, drawn: bool = True) -> bool:
        """As drawn, or as the list of faults of a history that is shrunk says."""
        self.opportunities[fault] += 1
        this = (fault, self.opportunities[fault])
        if drawn if self.only is None else this in self.only:
            self.fired.append(this)
            return True
        return False

    def next_interruption(self) -> None:
        self.interruption, self.following = self.following, None

    @property
    def clock_jumped(self) -> bool:
        return self.jumped_at >= 0

    def jump(self, seconds: float) -> None:
        """The database's clock jumps."""
        self.offset_before = self.database_offset
        self.database_offset += seconds
        self.jumped_at = self.now

    # -- time ------------------------------------------------------------------------------------------------

    def at(self, when: float, act: Callable[[], Any]) -> None:
        heapq.heappush(self.heap, (when, next(self.numbers), act))

    def after(self, seconds: float, act: Callable[[], Any]) -> None:
        self.at(self.now + seconds, act)

    def jitter(self) -> float:
        return self.rng.expovariate(20_000)

    def run(self, until: float) -> None:
        while self.heap and self.heap[0][0] <= until:
            when, _number, act = heapq.heappop(self.heap)
            self.now = max(self.now, when)
            self.events += 1
            if self.events > MAX_EVENTS:
                self.violated("live lock", f"{self.events} events")
                self.heap.clear()
                return
            act()
        self.now = max(self.now, until)

    def resume(self, thread: Thread, number: int, delay: float, value: Any = None) -> None:
        self.after(delay + self.jitter(), lambda: self._switch(thread, number, value))

    def _switch(self, thread: Thread, number: int, value: Any) -> None:
        if thread.number != number or thread.process.dead or thread.greenlet.dead:
            return
        if thread.process.resumes_at > self.now:
            self.at(thread.process.resumes_at + self.jitter(), lambda: self._switch(thread, number, value))
            return
        thread.number += 1
        self.before_turn()
        self.current = thread
        thread.greenlet.switch(value)
        self.current = None

    # -- for code that runs inside ---------------------------------------------------------------------------

    @property
    def thread(self) -> Thread:
        assert self.current is not None, "no simulated thread runs"
        return self.current

    @property
    def process(self) -> Process:
        return self.thread.process

    def check_alive(self) -> None:
        """A dead process does nothing more."""
        if self.current is not None and self.current.process.dead:
            raise Killed

    def block(self, seconds: float | None = None) -> Any:
        """Let others run until `wake`, or for this many seconds of the host's clock. True: woken."""
        self.check_alive()
        thread = self.thread
        if seconds is not None and seconds != INFINITY:
            self._set_alarm(thread, thread.number, thread.process.host.boot() + max(seconds, 0.0))
        value = self.hub.switch()
        self.current = thread
        self.check_alive()
        return value

    def _set_alarm(self, thread: Thread, number: int, deadline: float) -> None:
        host = thread.process.host

        def ring() -> None:
            if thread.number != number or thread.process.dead:
                return
            if host.paused_until > self.now:
                self.at(host.paused_until + self.jitter(), ring)
            elif host.boot() < deadline - 1e-9:
                self._set_alarm(thread, number, deadline)
            else:
                self._switch(thread, number, False)

        self.after(max(deadline - host.boot(), 0.0) / (1 + host.drift) + self.jitter(), ring)

    def wake(self, thread: Thread) -> None:
        self.resume(thread, thread.number, 0.0, True)

    @contextmanager
    def outside(self) -> Iterator[None]:
        """For the checker: its statements are no events."""
        before, self.current = self.current, None
        try:
            yield
        finally:
            self.current = before

    def end(self) -> None:
        for process in list(self.processes.values()):
            process.kill()
        self.heap.clear()


_active: list[World] = []


def activate(world: World) -> World:
    """Make it the world in which the replaced functions act."""
    _active[:] = [world]
    return world


def active() -> World:
    return _active[0]


def is_inside() -> bool:
    """Whether simulated code runs now."""
    return bool(_active) and _active[0].current is not None
