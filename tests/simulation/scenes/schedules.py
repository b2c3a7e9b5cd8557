"""Scenes about the sources of a schedule: rules of time zones, and the clock by which an edit is dated."""

from __future__ import annotations

import datetime as dt
from typing import ClassVar
from zoneinfo import ZoneInfo

from chroniker.models import Job
from tests.simulation.checker.rows import rows, to_datetime, true_time
from tests.simulation.processes import Host
from tests.simulation.scenes.base import EVERY_20, NEVER, Scene

EARLIER, LATER = ZoneInfo("Etc/GMT-6"), ZoneInfo("Etc/GMT-5")
ZONE = "Simulated/Zone"
NEW_RULES_AT = 30.0
FIRST_MINUTE = 60.0


class ZoneRules(Scene):
    """New rules move a zone by an hour after a job was booked.

    Even places: its instant comes an hour later; odd ones: an hour earlier. From place 2 on one host has the old rules,
    and from place 4 on it alone ticks when the job is due.
    """

    places = 6
    situation = "new rules"

    def play(self) -> None:
        world = self.world
        before, self.after = (EARLIER, LATER) if self.place % 2 == 0 else (LATER, EARLIER)
        for host in world.hosts.values():
            host.zones[ZONE] = before
        with world.outside():
            Job.objects.create(
                name="J", raw_command="work", cron="1 5 * * *", timezone=ZONE, edited_at=true_time(world)
            )
        self.book()
        self.start_schedulers()
        world.run(until=NEW_RULES_AT)
        for host in list(world.hosts.values())[: 1 if self.place >= 2 else None]:
            self._update(host)
        if self.place >= 4:
            world.run(until=FIRST_MINUTE - 10)
            for process in [each for each in world.processes.values() if each.host is self.a]:
                process.paused_until = FIRST_MINUTE + 5
        world.run(until=FIRST_MINUTE + 15)

    def _update(self, host: Host) -> None:
        host.zones[ZONE], host.zone_rules = self.after, "2025b"
        self.world.note("new rules", host.name)

    def verify(self) -> None:
        """The clock of the zone shows 05:00 at time 0 by the earlier rules, and 04:00 by the later ones."""
        runs = len(rows("SELECT id FROM chroniker_run"))
        expected = int(self.after is EARLIER)
        if runs != expected:
            self.world.violated("zone rules", f"{runs} runs at the old or the new instant, not {expected}")
        ((following,),) = rows("SELECT next_instant FROM chroniker_jobstate")
        hours = 24 * expected + (self.after is LATER)
        if round((to_datetime(following) - true_time(self.world)).total_seconds() / 3600) != hours:
            self.world.violated("zone rules", f"the next instant is {following}")


class ZoneMissing(Scene):
    """One host does not know the zone of a job. The other host runs it."""

    places = 2
    situation = "tree begins"

    def play(self) -> None:
        unaware = [self.a, self.b][self.place]
        for host in self.world.hosts.values():
            host.zones[ZONE] = None if host is unaware else EARLIER
        self.job = self.add_job()
        with self.world.outside():
            Job.objects.update(timezone=ZONE)
        self.book()
        self.start_schedulers()
        self.finish(until=70)

    def verify(self) -> None:
        begun = len(rows("SELECT id FROM chroniker_run WHERE started_at IS NOT NULL"))
        if begun < 3:
            self.world.violated("host without a zone", f"{begun} runs began, not one at each instant")


class EditBySlowClock(Scene):
    """A person edits a schedule on a host whose clock is ten minutes slow. No instant before the edit is run."""

    places = 3
    situation = "edited"
    settings: ClassVar = {"CHRONIKER_LOCK_TIMEOUT": 10}

    def play(self) -> None:
        self.b.wall_offset = -600.0
        self.job = self.add_job(cron=NEVER)
        self.book()
        self.edited_at = 25.0 + 5 * self.place
        self.process(self.b, "a person", self._edit, self.edited_at)
        self.world.run(until=self.edited_at + 1)
        self.start_schedulers()
        self.world.run(until=70)

    def _edit(self) -> None:
        job = Job.objects.get(pk=self.job.pk)
        job.cron = EVERY_20
        job.save()
        self.world.note("edited")

    def verify(self) -> None:
        edit = true_time(self.world) - dt.timedelta(seconds=self.world.now - self.edited_at)
        for (instant,) in rows("SELECT scheduled_for FROM chroniker_run WHERE scheduled_for IS NOT NULL"):
            if to_datetime(instant) < edit:
                self.world.violated("an edit counts from its time", f"a run is for {instant}, before the edit")
