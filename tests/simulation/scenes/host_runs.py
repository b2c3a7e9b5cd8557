"""Scenes about runs on every host."""

from __future__ import annotations

from typing import ClassVar

from chroniker.models import EVERY_HOST
from chroniker.scheduler import manual_runs, tick
from tests.simulation.checker.rows import rows
from tests.simulation.processes import Process
from tests.simulation.scenes.base import INSTANT, NEVER, Scene

DURING = "the other acted while this process was under way"


class EveryHost(Scene):
    """A run on two hosts is claimed at some time; the scene delivers both messages."""

    situation = DURING
    claimed_at: ClassVar[float] = INSTANT

    def claim(self) -> None:
        self.job = self.add_job("S", NEVER, hostname=EVERY_HOST)
        self.book()
        self.world.broker.held = []
        self.process(self.a, "a person", lambda: manual_runs.run_now(self.job, "a person"), self.claimed_at)
        self.world.run(until=self.claimed_at + 1)

    def deliver(self, number: int) -> Process:
        assert self.world.broker.held
        worker = self.world.broker.deliver(*self.world.broker.held[number])
        assert worker is not None
        return worker


class LastChild(EveryHost):
    """The last two children end together, and one of them is delayed at each of its statements."""

    has_other = True

    def play(self) -> None:
        self.claim()
        first, second = self.deliver(0), self.deliver(1)
        self.world.run(until=self.world.now + 2.5)
        self.interrupt(first)
        self.interrupt_other(second)
        self.world.run(until=self.world.now + 1.5)
        self.note_if_under_way(first, DURING)
        self.world.run(until=self.world.now + 4)

    def verify(self) -> None:
        if self.world.following is None and self.second is None and rows("SELECT 1 FROM chroniker_lease"):
            self.world.violated("last child", "all children have ended, and a lease is left")


class HostGone(EveryHost):
    """No host has been seen for a long time, so a tick gives their runs up; meanwhile their messages come."""

    claimed_at: ClassVar[float] = 60.0

    def play(self) -> None:
        self.claim()
        self.world.run(until=75.0)
        late = self.process(self.a, "the tick", tick.tick, self.world.now)
        self.interrupt(late)
        self.world.run(until=75.6)
        for number in range(2):
            self.deliver(number)
        self.world.run(until=76.5)
        self.note_if_under_way(late, DURING)
        self.world.run(until=82.0)


class JumpDuringATick(EveryHost):
    """The clock jumps ahead while a tick is delayed: the tick claims nothing by it, and gives nothing up."""

    claimed_at: ClassVar[float] = 18.0
    situation = DURING

    def play(self) -> None:
        self.add_job("D")
        self.claim()
        late = self.process(self.a, "the tick", tick.tick, INSTANT + 0.01)
        self.world.run(until=INSTANT)
        self.interrupt(late)
        self.world.run(until=INSTANT + 0.6)
        self.note_if_under_way(late, DURING)
        self.world.jump(300)
        self.world.run(until=INSTANT + 6)

    def verify(self) -> None:
        if rows("SELECT 1 FROM chroniker_run WHERE status = 'LOST'"):
            self.world.violated("jump", "a run was given up by a clock that has just jumped")
        later = "SELECT claimed_at FROM chroniker_run WHERE claimed_at > ?"
        if rows(later, "2025-12-31 23:02:00"):
            self.world.violated("jump", "a run was claimed by a clock that has just jumped")
