"""Scenes about backfills: each instant gets one run, and none of them is in the way of the schedule."""

from __future__ import annotations

import datetime as dt
from typing import Any, ClassVar

from chroniker import lifecycle
from chroniker.models import Backfill, Job
from chroniker.models.backfill import schedule_to_json
from chroniker.scheduler import tick
from tests.simulation.checker.rows import rows, to_datetime, true_time
from tests.simulation.scenes.base import INSTANT, Scene

BEGIN = 3 * INSTANT + 5  #: the first tick: three instants are past, and too late to run


class Backfilling(Scene):
    """Three instants were missed, and are accounted for. A person requests a backfill of them."""

    def play(self) -> None:
        self.jobs = [self.add_job(name, misfire_grace_seconds=1, **fields) for name, fields in self.fields_of_jobs()]
        self.book()
        self.process(self.a, "the tick that skips", tick.tick, BEGIN)
        self.process(self.b, "a person", self.request, BEGIN + 1)
        self.world.run(until=BEGIN + 2)
        self.act()

    def fields_of_jobs(self) -> list[tuple[str, dict[str, Any]]]:
        return [("J", {})]

    def act(self) -> None:
        raise NotImplementedError

    def request(self) -> None:
        now = true_time(self.world)
        for job in Job.objects.filter(pk__in=[job.pk for job in self.jobs]):
            row = Backfill(
                job=job, first=now - dt.timedelta(seconds=BEGIN), last=now, planned=3, spec=schedule_to_json(job.spec)
            )
            lifecycle.add_backfill(row)


class BackfillClaim(Backfilling):
    """A tick that claims the first run of a backfill dies, or its connection breaks, at each of its statements."""

    faults: ClassVar[tuple[str, ...]] = ("kill", "fail", "lose answer", "kill in transaction")

    def act(self) -> None:
        self.world.command_seconds = 0.5
        victim = self.process(self.a, "the tick", tick.tick, BEGIN + 2)
        self.interrupt(victim)
        self.process(self.b, "the second tick", tick.tick, BEGIN + 2.3)
        self.world.run(until=BEGIN + 5)
        with self.undisturbed():
            self.start_schedulers()
            self.finish(until=5 * INSTANT + 15)

    def verify(self) -> None:
        found = rows("SELECT instant FROM chroniker_run WHERE origin = 'BACKFILL' AND attempt = 1 AND slot = ''")
        instants = [to_datetime(at) for (at,) in found]
        if len(instants) != 3 or len(set(instants)) != 3:
            self.world.violated("backfill", f"three instants were missed, and these got a run: {sorted(instants)}")
        left = rows("SELECT id FROM chroniker_backfill WHERE finished_at IS NULL")
        if left:
            self.world.violated("backfill", "it has not ended")


class BackfillInTheWay(Backfilling):
    """A run of a backfill lasts longer than until the next instant, of jobs that skip or replace what overlaps."""

    delay = 0.3

    def fields_of_jobs(self) -> list[tuple[str, dict[str, Any]]]:
        return [("S", {"overlap": "SKIP"}), ("R", {"overlap": "REPLACE"})]

    def act(self) -> None:
        self.world.command_seconds = 12.0
        self.process(self.a, "the tick that claims", tick.tick, 4 * INSTANT - 4)
        self.world.run(until=4 * INSTANT + 0.2)
        late = self.process(self.a, "the tick at the instant", tick.tick, 4 * INSTANT + 0.3)
        self.interrupt(late)
        self.world.note("interrupted")
        self.process(self.b, "the second tick", tick.tick, 4 * INSTANT + 0.5)
        self.world.run(until=4 * INSTANT + 4)

    def verify(self) -> None:
        found = rows("SELECT status, stop_requested_at FROM chroniker_run WHERE origin = 'BACKFILL'")
        if len(found) != 2 or any(stop is not None for _status, stop in found):
            self.world.violated("backfill", f"two runs were claimed and go on, but there are: {found}")
        skipped = rows("SELECT token FROM chroniker_run WHERE code = 'OVERLAP'")
        if skipped:
            self.world.violated("backfill", "an instant was skipped for a run of a backfill")


class BackfillCancelled(Backfilling):
    """A person cancels the backfill while a tick claims a run of it."""

    delay = 1.0
    situation = "cancelled while the tick was under way"

    def act(self) -> None:
        late = self.process(self.a, "the tick", tick.tick, BEGIN + 2)
        self.interrupt(late)

        def cancel() -> None:
            lifecycle.cancel_backfill(Backfill.objects.get().pk, "a person")
            self.note_if_under_way(late, self.situation)

        self.process(self.b, "another person", cancel, BEGIN + 2.5)
        self.world.run(until=BEGIN + 6)
