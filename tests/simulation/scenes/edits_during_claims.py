"""Scenes in which somebody edits a job or its group while a tick claims."""

from __future__ import annotations

from collections.abc import Callable

from chroniker.clock.database_clock import database_now
from chroniker.eligibility import pauses
from chroniker.models import Group, Job
from chroniker.scheduler import manual_runs, tick
from tests.simulation import site
from tests.simulation.checker.rows import rows, true_time
from tests.simulation.scenes.base import NEVER
from tests.simulation.scenes.claims import DuringAClaim

LAST_EDIT = "0 4 * * *"


class Edit(DuringAClaim):
    """A person edits the schedule and another tick books it, while a tick claims the job by the old schedule."""

    def prepare(self) -> Callable[[], object]:
        job = self.add_job()
        before = self.instant_before()

        def act() -> None:
            site.edit_cron(self.world, job.pk, "*/10 * * * * *", edited_at=before)
            tick.book_edited_jobs(database_now())

        return act


class Pause(DuringAClaim):
    """A person pauses everything while a tick claims a job."""

    def prepare(self) -> Callable[[], object]:
        self.add_job()

        def act() -> None:
            pauses.pause("a person")
            self.acted_at = true_time(self.world)

        return act

    def verify(self) -> None:
        if self.claimed_later():
            self.world.violated("pause", "a run was claimed after the pause was committed")


class Disable(DuringAClaim):
    """A person disables the job while a tick claims it."""

    def prepare(self) -> Callable[[], object]:
        job = self.add_job()

        def act() -> None:
            Job.objects.filter(pk=job.pk).update(enabled=False)
            self.acted_at = true_time(self.world)

        return act

    def verify(self) -> None:
        if self.claimed_later():
            self.world.violated("disable", "a run was claimed after the job was disabled")


class PauseGroup(Pause):
    """A person pauses the job's group while a tick claims the job."""

    def prepare(self) -> Callable[[], object]:
        with self.world.outside():
            group = Group.objects.create(name="g")
        self.add_job(group=group)

        def act() -> None:
            pauses.pause("a person", group=group)
            self.acted_at = true_time(self.world)

        return act


class LowerLimit(DuringAClaim):
    """A person lowers the limit of a group, in which a job runs, while a tick claims another job of it."""

    def prepare(self) -> Callable[[], object]:
        self.world.command_seconds = 30.0
        with self.world.outside():
            group = Group.objects.create(name="g", limit=2)
        self.running = self.add_job("A", NEVER, group=group)
        self.add_job("B", group=group)
        return lambda: Group.objects.filter(pk=group.pk).update(limit=1)

    def book(self) -> None:
        super().book()
        self.process(self.b, "a person", lambda: manual_runs.run_now(self.running, "a person"), self.world.now)
        self.world.run(until=self.world.now + 1)


class EditDuringBooking(DuringAClaim):
    """A person edits a job again while a tick books its first edit. The next tick books the second one.

    Neither schedule is due soon: a claim would find the edit, too.
    """

    def delayed(self) -> object:
        return tick.book_edited_jobs(true_time(self.world))

    def prepare(self) -> Callable[[], object]:
        job = self.add_job(cron=NEVER)
        self.job = job.pk
        return lambda: site.edit_cron(self.world, self.job, LAST_EDIT, edited_at=true_time(self.world))

    def book(self) -> None:
        super().book()
        with self.world.outside():
            site.edit_cron(self.world, self.job, "0 3 * * *", edited_at=true_time(self.world))

    def verify(self) -> None:
        self.process(self.b, "the next tick", lambda: tick.book_edited_jobs(true_time(self.world)), self.world.now)
        self.world.run(until=self.world.now + 3)
        ((booked,),) = rows("SELECT booked_fingerprint FROM chroniker_jobstate")
        if self.world.promises.ledger.crons[booked] != LAST_EDIT:
            self.world.violated("edit", f"the last edit was not booked: {self.world.promises.ledger.crons[booked]}")
