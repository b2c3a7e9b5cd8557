"""Scenes about a host that drains, and about a copy of the database: nothing is claimed or started there."""

from __future__ import annotations

from typing import ClassVar

from chroniker.eligibility import draining
from chroniker.models import Job
from chroniker.scheduler import tick
from tests.simulation import features, people
from tests.simulation.checker.rows import rows
from tests.simulation.scenes.base import INSTANT
from tests.simulation.scenes.runs import WITH_SUPERVISOR, OneRun


class Drain(OneRun):
    """A host begins to drain while a supervisor there starts a run; the message comes again during the drain.

    A tick there leaves a due job to the end of the drain.
    """

    names = ("a",)

    def play(self) -> None:
        self.due = self.add_job("D")
        self.claim()
        worker = self.deliver()
        self.interrupt(worker)
        self.process(self.a, "a person", lambda: draining.record_drain_of_this_host("a person"), self.world.now + 0.3)
        self.world.run(until=self.world.now + 1)
        self.note_if_under_way(worker, WITH_SUPERVISOR)
        self.world.run(until=self.world.now + 4)
        self.deliver()
        self.process(self.a, "a tick", tick.tick, self.world.now)
        self.world.run(until=self.world.now + 1)
        if rows("SELECT id FROM chroniker_run WHERE job_id = ?", self.due.pk):
            self.world.violated("drain", "a tick claimed a run on the draining host")
        self.process(self.a, "a person", draining.record_end_of_drain_of_this_host, self.world.now)
        self.world.broker.held = None
        self.start_schedulers()
        with self.undisturbed():
            self.finish(until=self.world.now + 15)

    def verify(self) -> None:
        found = rows("SELECT job_id, status FROM chroniker_run WHERE status = 'SUCCEEDED'")
        if len({job for job, _status in found}) != 2:
            self.world.violated("drain", f"both jobs succeed after it, but there is: {found}")


class Copy(OneRun):
    """The database becomes a copy while a run is queued and another one runs; its adoption is interrupted."""

    faults: ClassVar[tuple[str, ...]] = ("delay", "kill", "fail", "lose answer")
    situation = "commit in a copy"

    def play(self) -> None:
        world = self.world
        features.name_database(world, features.ORIGINAL)
        self.add_job("D")
        self.book()
        self.process(self.a, "the first tick", tick.tick, world.now)
        world.run(until=3)
        world.broker.held = []
        world.command_seconds = 60.0
        self.process(self.a, "the tick at the instant", tick.tick, INSTANT + 0.01)
        world.run(until=INSTANT + 0.5)
        self.deliver()
        world.run(until=INSTANT + 1)
        world.broker.held = []
        self.claim()
        world.run(until=world.now + 1)
        features.become_copy(world)
        self.deliver()
        world.run(until=2 * INSTANT + 15)
        self.process(self.b, "a tick in the copy", tick.tick, world.now)
        world.run(until=world.now + 1)
        self._adopt()

    def _adopt(self) -> None:
        """By one person who is interrupted, then by another one."""
        world = self.world
        first = self.process(self.a, "a person", lambda: people.adopt(world), world.now)
        self.interrupt(first)
        self.process(self.b, "a tick meanwhile", tick.tick, world.now + 0.5)
        world.run(until=world.now + 4)
        planned, world.interruption = world.interruption, None
        features.start_adoption(world)
        world.run(until=world.now + 2)
        world.command_seconds, world.broker.held = 1.0, None
        self.start_schedulers()
        self.finish(until=world.now + 2 * INSTANT)
        world.interruption = planned

    def verify(self) -> None:
        if not rows("SELECT id FROM chroniker_run WHERE status = 'SUCCEEDED'"):
            self.world.violated("copy", "nothing runs after its adoption")


class DrainAfterRun(OneRun):
    """A run ends on a draining host when its job is due again: what follows a run claims nothing there."""

    names = ("a",)
    places = 4
    situation = "tree ends"

    def play(self) -> None:
        self.world.command_seconds = 3.0 + self.place
        self.claim()
        with self.world.outside():
            Job.objects.update(force_run=True)
        self.deliver()
        self.process(self.a, "a person", lambda: draining.record_drain_of_this_host("a person"), self.world.now + 1)
        self.world.run(until=self.world.now + 10)
        if len(rows("SELECT id FROM chroniker_run")) != 1:
            self.world.violated("drain", "a run was claimed on the draining host")
