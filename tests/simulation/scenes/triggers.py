"""Scenes about a pair of jobs of which the first starts the second."""

from __future__ import annotations

from chroniker.models import OPEN_STATUSES, Activation, Job, JobState, JobTrigger, Run, Trigger, TriggerOn
from chroniker.scheduler import events
from tests.simulation.scenes.base import INSTANT, NEVER
from tests.simulation.scenes.waiting import Waiting


class Triggered(Waiting):
    """The first job succeeds and starts the second one, which a program requests too. Each end activates it once."""

    exit_code = 0
    on = TriggerOn.ENDED

    def add_job_of_scene(self) -> Job:
        first, self.target = self.add_first(), self.add_job("T", NEVER)
        with self.world.outside():
            JobTrigger.objects.create(source=first, target=self.target, on=self.on)
        return first

    def add_first(self) -> Job:
        return self.add_job()

    def act(self) -> None:
        self.tick(INSTANT + 0.01, interrupted=True)
        self.expect(2, "the first job, and the one that it starts")
        self.process(self.b, "a program", self._request, INSTANT + 8)
        self.tick(INSTANT + 8.01)
        self.expect(3, "a program requested one more")

    def _request(self) -> None:
        events.trigger(Job.objects.get(pk=self.target.pk), key="one")

    def verify(self) -> None:
        """Each chain that ended has one activation, and each run by an activation is that of one."""
        source = JobState.objects.get(pk=self.job.pk)
        last: dict[int | None, Run] = {}
        for run in Run.objects.filter(job=source.pk, chain__isnull=False).order_by("token"):
            last[run.chain] = run
        ended = [run.pk for chain, run in last.items() if run.status not in OPEN_STATUSES and chain != source.retry_of]
        made = Activation.objects.filter(trigger__isnull=False).values_list("cause", flat=True)
        if sorted(map(str, ended)) != sorted(map(str, made)):
            self.world.violated("triggers", f"{len(ended)} chains ended, {len(made)} activations were made")
        runs = set(Run.objects.filter(trigger=Trigger.EVENT).values_list("pk", flat=True))
        taken = set(Activation.objects.filter(run__isnull=False).values_list("run", flat=True))
        if runs != taken:
            self.world.violated("triggers", f"{len(runs)} runs by activations, {len(taken)} are named by one")


class TriggeredByReplacedRetry(Triggered):
    """A claim of the schedule replaces the pending retry of the first job. Its chain ends, and starts the other."""

    exit_code = 1
    on = TriggerOn.FAILED

    def add_first(self) -> Job:
        return self.add_job(max_retries=1, retry_backoff_seconds=10 * int(INSTANT))

    def act(self) -> None:
        self.tick(INSTANT + 0.01)
        self.expect(1, "its retry is pending")
        self.tick(2 * INSTANT + 1, interrupted=True)
        self.tick(2 * INSTANT + 8)
        self.expect(3, "the chain ended, and started the second job")


class TriggeredByTwoPrograms(Waiting):
    """Two programs request one run with the same key, and one of them is interrupted. Both get the same answer."""

    def add_job_of_scene(self) -> Job:
        return self.add_job(cron=NEVER)

    def act(self) -> None:
        self.interrupt(self.process(self.a, "a program", self._request, INSTANT))
        self.process(self.b, "another program", self._request, INSTANT + 0.1)
        self.tick(INSTANT + 1)
        self.expect(1, "one run for the key")

    def _request(self) -> None:
        row = events.trigger(Job.objects.get(pk=self.job.pk), key="one")
        self.world.promises.activations.was_made(self.job.pk, row.key, row.pk)
