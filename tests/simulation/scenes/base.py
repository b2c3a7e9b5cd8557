"""A scene: a short history with one interruption, tried at every place of it in turn."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from django.db import OperationalError

from chroniker.eligibility import hosts
from chroniker.models import Job, Lease
from chroniker.scheduler import tick
from tests.simulation import site
from tests.simulation.actors import start_scheduler
from tests.simulation.checker.rows import true_time
from tests.simulation.conditions import Interruption
from tests.simulation.processes import Host, Process
from tests.simulation.world import World

INSTANT = 20.0  #: true time of the instant that the scenes are about
EVERY_20 = "*/20 * * * * *"
NEVER = "0 0 1 1 *"
DELAY = 2.0


class Scene:
    """Subclasses build a world and run it once for each place of each of their ``faults``.

    ``situation``: a kind of event that must occur at some place; otherwise the scene proves nothing and fails.
    """

    faults: ClassVar[tuple[str, ...]] = ("delay",)
    delay: ClassVar[float] = DELAY
    places: ClassVar[int | None] = None  #: of a scene that varies a time; None: as many as there are statements
    situation: ClassVar[str] = "interrupted"
    has_other: ClassVar[bool] = False  #: of a pair of interruptions, the second one is for another process
    second: tuple[int, str] | None = None  #: place and fault of a second interruption
    settings: ClassVar[dict[str, Any]] = {"CHRONIKER_LOCK_TIMEOUT": 10}
    names: ClassVar[tuple[str, ...]] = ("a", "b")  #: of the hosts; of one host, ``b`` is ``a``

    def __init__(self, place: int, fault: str) -> None:
        self.place, self.fault = place, fault
        self.world = site.create_world(place)
        self.world.schedulers_run = False
        self.world.command_seconds = 3.0
        hosts = [self.add_host(name) for name in self.names]
        self.a, self.b = hosts[0], hosts[-1]
        lock_files = self.a.settings["CHRONIKER_CHECK_LOCK_FILE"]
        self.world.shortest_lease = None if lock_files else float(self.a.settings["CHRONIKER_LOCK_TIMEOUT"])
        self.world.start_deadline = float(self.a.settings["CHRONIKER_START_DEADLINE_SECONDS"])

    def run(self) -> World:
        self.play()
        with self.world.outside():
            self.verify()
        self.world.end()
        return self.world

    def play(self) -> None:
        raise NotImplementedError

    def verify(self) -> None:
        """Checks of this scene alone."""

    @property
    def exhausted(self) -> bool:
        """Whether this place lies beyond the last one."""
        if self.places is not None:
            return self.place >= self.places
        return self.world.interruption is not None

    # -- parts of a scene ------------------------------------------------------------------------------------

    def add_host(self, name: str, **settings: Any) -> Host:
        base = {
            "CHRONIKER_START_DEADLINE_SECONDS": 40,
            "CHRONIKER_REDISPATCH_SECONDS": 5,
            "CHRONIKER_HOST_TIMEOUT": 70,
            "CHRONIKER_CHECK_LOCK_FILE": False,
        }
        return site.add_host(self.world, name, **{**base, **self.settings, **settings})

    def add_job(self, name: str = "J", cron: str = EVERY_20, **fields: Any) -> Job:
        with self.world.outside():
            return site.add_job(self.world, name, cron, **fields)

    def process(self, host: Host, name: str, target: Callable[[], Any], at: float) -> Process:
        process = Process(host, name)
        process.start(self._until_broken, target, delay=max(at - self.world.now, 0.0))
        return process

    def _until_broken(self, target: Callable[[], Any]) -> None:
        """A broken connection ends the process; any other error is a defect of the product."""
        try:
            target()
        except OperationalError as error:
            self.world.note("process ends", type(error).__name__)

    def book(self) -> None:
        """Both hosts are live, and all jobs are booked."""
        for host in self.world.hosts.values():
            self.process(host, f"first tick of {host.name}", self._book, self.world.now)
        self.world.run(until=self.world.now + 2)

    def _book(self) -> None:
        hosts.record_heartbeat(["default"])
        tick.book_edited_jobs(true_time(self.world))

    def interrupt(self, process: Process) -> None:
        """The one interruption of this history, or the first of a pair, happens to this process."""
        self.world.interruption = self._interruption(process, self.place, self.fault)
        if self.second is not None and not self.has_other:
            self.world.following = self._interruption(process, *self.second)

    def interrupt_other(self, process: Process) -> None:
        """The second interruption of a pair happens to this process."""
        if self.second is None:
            return
        second = self._interruption(process, *self.second)
        if self.world.interruption is None:
            self.world.interruption = second
        else:
            self.world.following = second

    def _interruption(self, process: Process, place: int, fault: str) -> Interruption:
        return Interruption(process, place, self.delay, "" if fault == "delay" else fault)

    @contextmanager
    def undisturbed(self) -> Iterator[None]:
        """Within the block, an interruption that has not happened yet does not happen; its place stays unreached."""
        planned, self.world.interruption = self.world.interruption, None
        yield
        self.world.interruption = planned

    def note_if_under_way(self, process: Process, situation: str) -> None:
        if process.threads and not process.dead:
            self.world.note(situation)

    def start_schedulers(self) -> None:
        self.world.schedulers_run = True
        for host in self.world.hosts.values():
            start_scheduler(self.world, host)

    def finish(self, until: float) -> None:
        """Run on with schedulers, then without new instants until nothing is open; then check all promises."""
        world = self.world
        world.run(until=until)
        with world.outside():
            Job.objects.update(enabled=False, force_run=False)
            world.promises.ledger.edited |= set(world.promises.ledger.since)
        last = world.now + 120
        while world.now < last and self._is_open():
            world.run(until=world.now + 5)
        world.promises.at_the_end()

    def _is_open(self) -> bool:
        with self.world.outside():
            return Lease.objects.exists()

    def instant_before(self) -> dt.datetime:
        """Just before the instant, in true time."""
        return true_time(self.world) + dt.timedelta(seconds=INSTANT - 0.1 - self.world.now)
