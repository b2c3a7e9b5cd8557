"""Scenes in which something changes while a tick claims a job."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import ClassVar

from chroniker.exceptions import ClaimRefused
from chroniker.models import Group, Job, JobDependency, JobState, Trigger
from chroniker.scheduler import job_deletion, manual_runs, stopping, tick
from tests.simulation.checker.rows import rows, to_datetime
from tests.simulation.scenes.base import DELAY, EVERY_20, INSTANT, NEVER, Scene

DURING = "a change came while the tick was under way"


class DuringAClaim(Scene):
    """A tick is delayed at each of its statements in turn; meanwhile another process acts."""

    situation = DURING
    has_other = True

    def play(self) -> None:
        act = self.prepare()
        self.book()
        late = self.process(self.a, "the tick", self.delayed, INSTANT + 0.01)
        self.world.run(until=INSTANT)
        self.interrupt(late)

        def other() -> None:
            act()
            self.note_if_under_way(late, DURING)

        self.interrupt_other(self.process(self.b, "the other", other, INSTANT + 0.6))
        self.world.run(until=INSTANT + 5 * DELAY)

    def delayed(self) -> object:
        """What is delayed at each of its statements."""
        return tick.tick()

    def prepare(self) -> Callable[[], object]:
        """Add the jobs; returns what the other process does."""
        raise NotImplementedError

    acted_at: dt.datetime | None = None  #: when the act of the other process was committed

    def claimed_later(self) -> bool:
        """Whether a claim was checked after that act. One that was checked before may be committed after it."""
        found = rows("SELECT claimed_at FROM chroniker_run WHERE status <> 'SKIPPED'")
        return self.acted_at is not None and any(to_datetime(at) > self.acted_at for (at,) in found)


class Dependency(DuringAClaim):
    """A person starts the job that another one waits for, while a tick claims the other one."""

    def prepare(self) -> Callable[[], object]:
        first, second = self.add_job("E", NEVER), self.add_job("D")
        with self.world.outside():
            JobDependency.objects.create(
                dependent=second,
                dependee=first,
                wait_for_completion=True,
                wait_for_success=False,
                wait_for_next_run=False,
            )
        return lambda: manual_runs.run_now(Job.objects.get(pk=first.pk), "a person")


class TwoTicks(DuringAClaim):
    """Two ticks claim the same job."""

    def prepare(self) -> Callable[[], object]:
        self.add_job()
        return tick.tick


class GroupLimit(DuringAClaim):
    """Two ticks claim one job each, of a group that has room for one."""

    def prepare(self) -> Callable[[], object]:
        with self.world.outside():
            group = Group.objects.create(name="g", limit=1)
        first, second = (self.add_job(name, group=group) for name in "AB")
        self.only = [first.pk]
        return lambda: tick.tick(only=[second.pk])

    def delayed(self) -> object:
        return tick.tick(only=self.only)


class Retry(DuringAClaim):
    """A retry and an instant of the schedule fall together; two ticks claim them."""

    def prepare(self) -> Callable[[], object]:
        job = self.add_job(max_retries=3)
        self.job = job.pk
        return tick.tick

    def book(self) -> None:
        super().book()
        with self.world.outside():
            JobState.objects.filter(pk=self.job).update(
                retry_at=self.instant_before(), retry_attempt=1, retry_origin=Trigger.SCHEDULE
            )


class RunNow(DuringAClaim):
    """A person runs the job now while a tick claims it."""

    def prepare(self) -> Callable[[], object]:
        job = self.add_job()

        def act() -> None:
            try:
                manual_runs.run_now(Job.objects.get(pk=job.pk), "a person")
            except ClaimRefused:
                self.world.note("person is refused")

        return act


class Claim(Scene):
    """A tick dies, or its connection breaks, at each of its statements; others go on."""

    faults: ClassVar[tuple[str, ...]] = ("kill", "fail", "lose answer", "kill in transaction")

    def play(self) -> None:
        self.add_job()
        self.add_job("K", EVERY_20, retry_on_lost=True, retry_backoff_seconds=1)
        self.book()
        victim = self.process(self.a, "the tick", tick.tick, INSTANT + 0.01)
        self.world.run(until=INSTANT)
        self.interrupt(victim)
        self.world.run(until=INSTANT + 3)
        with self.undisturbed():
            self.start_schedulers()
            self.finish(until=INSTANT + 25)


class Delete(DuringAClaim):
    """A person deletes the job while a tick claims it. It is gone after the end of its run, if there is one."""

    def prepare(self) -> Callable[[], object]:
        self.job = self.add_job()
        self.check, self.world.after_commit = self.world.after_commit, self._look

        def act() -> None:
            job_deletion.request_job_deletion([self.job.pk])
            stopping.stop_runs_of_jobs_with_force_stop()
            job_deletion.delete_marked_jobs()

        return act

    def _look(self) -> None:
        self.check()
        living = [each for trees in self.world.witness.alive.values() for each in trees if not each.dead]
        if living and not self._jobs():
            self.world.violated("deletion", f"the job was deleted, and {living[0].name} lives")

    def _jobs(self) -> list[tuple[object, ...]]:
        return rows("SELECT id FROM chroniker_job WHERE id = ?", self.job.pk)

    def play(self) -> None:
        super().play()
        with self.undisturbed():
            self.start_schedulers()
            self.world.run(until=self.world.now + 60)
        if self._jobs() or rows("SELECT id FROM chroniker_run"):
            self.world.violated("deletion", "the job was not deleted")


class ForceRun(DuringAClaim):
    """The flag of a job that is to run once is up, and two ticks see it."""

    def prepare(self) -> Callable[[], object]:
        self.add_job(cron=NEVER, force_run=True)
        return tick.tick

    def verify(self) -> None:
        found = len(rows("SELECT id FROM chroniker_run"))
        if self.second is None and found != 1:
            self.world.violated("force run", f"{found} runs for one request")
