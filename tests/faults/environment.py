"""The environment of a trial: servers and processes, and exclusive access for faults."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock

from tests.faults import administrator
from tests.faults.actors import Actor
from tests.support.brokers import Broker
from tests.support.servers import (
    FaultProxy,
    Server,
    WrongClock,
)

LEASE = 6.0
#: Time for eleven messages: that many are hardly ever lost one after the other.
START_DEADLINE = 240.0


class Busy(Exception):
    """It is, or was just now, at fault in another way: what comes on top of that would only be one long outage."""


@dataclass
class Environment:
    """``restart`` starts a process that was killed, as an init system does."""

    directory: Path
    database: Server | None
    broker: Broker
    actors: list[Actor]
    checker_proxy: FaultProxy | None = None  # never faulty: for the faults themselves, and the checker
    host_clock: WrongClock | None = None  # of one of the hosts; the other's is right
    database_clock: WrongClock | None = None
    start_deadline: float = START_DEADLINE
    lease: float = LEASE  # the longest one
    by_lease: bool = True  # a run is given up by its lease, not by a file lock
    database_port: int = 0  # to which the actors' proxies lead; 0: that of the database
    pooler_proxy: FaultProxy | None = None  # between PgBouncer and the database; the actors' proxies lead to PgBouncer
    releases: int = 0
    has_burst: bool = False
    over: Event = field(default_factory=Event)  # no more faults
    deploying: Lock = field(default_factory=Lock)
    _at_fault: dict[str, threading.Lock] = field(default_factory=lambda: defaultdict(threading.Lock))
    _rests_until: dict[str, float] = field(default_factory=dict)  # monotonic

    @contextmanager
    def exclusive(self, what: str, rest: float = LEASE) -> Iterator[None]:
        """One fault at a time for a server, a clock, or anything else that can have only one fault at a time.

        Afterwards it has no fault for ``rest`` seconds. Raises ``Busy`` during the fault and this time.
        """
        if not self._at_fault[what].acquire(blocking=False):
            raise Busy
        try:
            if time.monotonic() < self._rests_until.get(what, 0.0):
                raise Busy
            yield
            self._rests_until[what] = time.monotonic() + rest
        finally:
            self._at_fault[what].release()

    def redirect_to(self, server: Server) -> None:
        """All proxies that end at this server lead to its port: it may be another one since it was started again."""
        name = "broker" if server is self.broker.server else "database"
        proxies = [actor.proxies[name] for actor in self.actors]
        if name == "database" and self.pooler_proxy is not None:
            proxies = [self.pooler_proxy]
        if name == "database" and self.checker_proxy is not None:
            proxies.append(self.checker_proxy)
        for proxy in proxies:
            if proxy.upstream[1] != server.port:
                proxy.move(server.port)

    def replace_database(self, server: Server) -> None:
        """Another server takes the place of the database, which goes."""
        before, self.database = self.database, server
        if self.database_clock is not None:
            self.database_clock = server.clock
        self.redirect_to(server)
        if before is not None:
            before.stop()

    def stop_database(self) -> None:
        if self.database is not None:
            self.database.stop()

    @property
    def failpoints(self) -> Path:
        return self.directory / "failpoints"

    @property
    def mutation_calls(self) -> Path:
        return self.directory / "mutation-called"

    @property
    def witness(self) -> Path:
        return self.directory / "witness"

    def restart(self, number: int) -> None:
        process = self.actors[number].process
        if not process.running():
            with suppress(AssertionError):  # its database or broker is away; the next call tries again
                process.start()

    def calm(self) -> None:
        """Every proxy whole, every process awake, every clock right, and connections of one's own that are new."""
        for clock in (self.host_clock, self.database_clock):
            if clock is not None:
                clock.set(0)
        for actor in self.actors:
            for proxy in actor.proxies.values():
                proxy.set("pass")
            if actor.network is not None:
                actor.network.restore()
            for pid in actor.pids():
                with suppress(OSError):
                    os.kill(pid, signal.SIGCONT)
        administrator.wait_for_database()

    def choose(self, rng: random.Random, role: str) -> Actor:
        """One with this role; where none has it, any."""
        return rng.choice([actor for actor in self.actors if actor.role == role] or self.actors)

    @property
    def executing(self) -> list[Actor]:
        """The processes in which runs are executed: workers, or without any the ticks."""
        return [actor for actor in self.actors if actor.role == "worker"] or self.actors


#: It breaks something, waits, repairs it, and returns a description.
Fault = Callable[[Environment, random.Random], str]
