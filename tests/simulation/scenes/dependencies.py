"""Scenes about jobs that wait for others: for their end, their retry, their success, or their turn."""

from __future__ import annotations

from typing import ClassVar

from chroniker.models import Job, JobDependency, JobState
from tests.simulation.scenes.base import EVERY_20, INSTANT
from tests.simulation.scenes.waiting import Waiting

EVERY_MINUTE = "0 * * * * *"


class Dependent(Waiting):
    """The second job waits for the first one, in one way."""

    exit_code = 0
    waits: ClassVar[str]
    crons: ClassVar[tuple[str, str]] = (EVERY_20, EVERY_20)

    def add_job_of_scene(self) -> Job:
        first, second = self.add_first(self.crons[0]), self.add_job("D", self.crons[1])
        kinds = ("wait_for_completion", "wait_for_success", "wait_for_next_run")
        with self.world.outside():
            JobDependency.objects.create(
                dependent=second, dependee=first, **{kind: kind == self.waits for kind in kinds}
            )
        return first

    def add_first(self, cron: str) -> Job:
        return self.add_job("E", cron)


class DependencyInOneBatch(Dependent):
    """Both jobs are due in one tick. The second one is claimed after the end of the first."""

    waits = "wait_for_completion"

    def act(self) -> None:
        self.tick(INSTANT + 0.01, interrupted=True)
        self.expect(2, "one after the other")


class DependencyOnRetry(Dependent):
    """The first job fails, and its retry is pending when the second one is due."""

    waits = "wait_for_completion"
    exit_code = 1
    crons = ("20 * * * * *", "30 * * * * *")

    def add_first(self, cron: str) -> Job:
        return self.add_job("E", cron, max_retries=1, retry_backoff_seconds=30)

    def act(self) -> None:
        self.tick(INSTANT + 0.01)
        self.tick(31.0, interrupted=True)
        self.expect(1, "the retry is pending")
        self.world.command_code = 0
        self.tick(52.0)
        self.expect(3, "the retry, then the job that waited for it")


class DependencyOnSuccess(Dependent):
    """The first job fails, and succeeds at its next instant."""

    waits = "wait_for_success"
    exit_code = 1

    def act(self) -> None:
        self.tick(INSTANT + 0.01, interrupted=True)
        self.expect(1, "the first job has not succeeded")
        self.world.command_code = 0
        self.tick(2 * INSTANT + 0.01)
        self.expect(3, "it has succeeded, and the second one follows")


class DependencyOnTurn(Dependent):
    """Instants of the second job wait when the first job's turn comes between them: the last one waits for it."""

    waits = "wait_for_next_run"
    crons = (EVERY_MINUTE, EVERY_20)

    def act(self) -> None:
        self.tick(3 * INSTANT + 1, interrupted=True)
        self.expect(3, "the first two instants of the second job, the first job, and the third instant")


class DependencyOnUnknownTurn(Dependent):
    """The first job has no known instants, because of an error in its schedule."""

    waits = "wait_for_next_run"
    situation = "interrupted"

    def act(self) -> None:
        with self.world.outside():
            wrong = JobState.objects.filter(pk=self.job.pk)
            wrong.update(schedule_error="its schedule is wrong", next_instant=None, next_run=None)
        self.tick(INSTANT + 0.01, interrupted=True)
        self.expect(0, "the instants of the first job are not known")
        self.world.note(self.situation)
