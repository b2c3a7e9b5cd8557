"""Scenes about instants that wait: held jobs, catch-up, and retries that come first."""

from __future__ import annotations

from typing import ClassVar

from chroniker import lifecycle
from chroniker.models import CatchUp, Job
from chroniker.scheduler import manual_runs, tick
from tests.simulation.checker.rows import rows
from tests.simulation.scenes.base import INSTANT, Scene

CLAIMED = "a run was claimed"


class Waiting(Scene):
    """One job whose commands fail or not. A tick at each time is delayed at each of its statements in turn."""

    situation = CLAIMED
    exit_code: ClassVar[int] = 1
    delay = 0.3

    def play(self) -> None:
        self.world.command_seconds, self.world.command_code = 0.5, self.exit_code
        self.job = self.add_job_of_scene()
        self.book()
        self.act()
        self.world.run(until=self.world.now + 5)

    def add_job_of_scene(self) -> Job:
        raise NotImplementedError

    def act(self) -> None:
        raise NotImplementedError

    def tick(self, at: float, *, interrupted: bool = False) -> None:
        """Ticks of both hosts, the second a little later; until after ``at``."""
        first = self.process(self.a, f"tick at {at}", tick.tick, at)
        if interrupted:
            self.interrupt(first)
        self.process(self.b, f"second tick at {at}", tick.tick, at + 0.1)
        self.world.run(until=at + 4)
        if self.claimed():
            self.world.note(CLAIMED)

    def claimed(self) -> int:
        with self.world.outside():
            return len(rows("SELECT id FROM chroniker_run WHERE status <> 'SKIPPED'"))

    def expect(self, number: int, what: str) -> None:
        if self.claimed() != number:
            self.world.violated("waiting", f"{what}: {self.claimed()} runs, not {number}")


class Hold(Waiting):
    """A job is held after a failed run: ticks claim nothing, a person resumes it, and a tick claims what waited."""

    def add_job_of_scene(self) -> Job:
        return self.add_job(hold_on_failure=True)

    def act(self) -> None:
        self.tick(INSTANT + 0.01, interrupted=True)
        self.tick(2 * INSTANT + 1)
        self.expect(1, "it is held")
        self.process(self.b, "a person", lambda: lifecycle.resume_jobs([self.job.pk]), 2 * INSTANT + 8)
        self.tick(2 * INSTANT + 10)
        self.expect(2, "it was resumed")


class CatchUpEach(Waiting):
    """Three instants come before the first tick: each gets a run, one after the other."""

    exit_code = 0

    def add_job_of_scene(self) -> Job:
        return self.add_job(catch_up=CatchUp.EACH, misfire_grace_seconds=3600)

    def act(self) -> None:
        begin = 3 * INSTANT + 1
        self.tick(begin, interrupted=True)
        self.tick(begin + 5)
        self.tick(begin + 10)
        self.expect(3, "each instant has a run")


class CatchUpLatest(Waiting):
    """Three instants come before the first tick: the last one gets a run."""

    exit_code = 0

    def add_job_of_scene(self) -> Job:
        return self.add_job(catch_up=CatchUp.LATEST)

    def act(self) -> None:
        self.tick(3 * INSTANT + 1, interrupted=True)
        self.expect(1, "one instant has a run")


class RetryFirst(Waiting):
    """An instant comes while a run of the schedule waits for its retry; and a person runs the job meanwhile."""

    def add_job_of_scene(self) -> Job:
        return self.add_job(
            catch_up=CatchUp.EACH, misfire_grace_seconds=3600, max_retries=1, retry_backoff_seconds=2 * INSTANT
        )

    def act(self) -> None:
        self.tick(INSTANT + 0.01, interrupted=True)
        self.tick(2 * INSTANT + 1)
        self.expect(1, "the retry comes first")
        self.world.command_code = 0
        self.process(self.b, "a person", self._run_by_hand, 2 * INSTANT + 6)
        self.tick(3 * INSTANT + 12)
        self.expect(5, "the run by hand, the retry, and the two instants after it")

    def _run_by_hand(self) -> None:
        manual_runs.run_now(Job.objects.get(pk=self.job.pk), "a person")
