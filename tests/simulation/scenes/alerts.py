"""Scenes about alerts: each is raised with what it is about, reported once, and ends with it."""

from __future__ import annotations

from typing import Any, ClassVar

from chroniker import lifecycle
from chroniker.models import Job
from tests.simulation import features
from tests.simulation.checker.rows import rows
from tests.simulation.scenes.base import INSTANT
from tests.simulation.scenes.waiting import Waiting


class AlertsOfOneJob(Waiting):
    """A slow run fails and holds its job; a person resumes it, and the next run is quick and succeeds."""

    limits: ClassVar[dict[str, Any]] = {"alert_run_seconds": 1, "alert_start_seconds": 30}

    def add_job_of_scene(self) -> Job:
        with self.world.outside():
            features.add_channel()
        return self.add_job(hold_on_failure=True, **self.limits)

    def act(self) -> None:
        self.world.command_seconds = 2.0
        self.tick(INSTANT + 0.01, interrupted=True)
        self.expect_open("failing", "held")
        self.process(self.b, "a person", lambda: lifecycle.resume_jobs([self.job.pk]), INSTANT + 8)
        self.world.run(until=INSTANT + 9)
        self.expect_open("failing")
        self.world.command_code, self.world.command_seconds = 0, 0.5
        self.tick(2 * INSTANT + 0.01)
        self.expect_open()

    def reported(self) -> dict[str, int]:
        """How many messages there should be, by the event."""
        return {"alert.failing": 1, "alert.held": 1, "alert.recovered": 3, "alert.slow": 1}

    def expect_open(self, *kinds: str) -> None:
        found = sorted(kind for (kind,) in rows("SELECT kind FROM chroniker_alert WHERE ended_at IS NULL"))
        if found != sorted(kinds):
            self.world.violated("alerts", f"{kinds} should be open, and {found} are")

    def verify(self) -> None:
        self.world.promises.alerts.at_the_end()
        found = dict(rows("SELECT event, COUNT(*) FROM chroniker_outbox GROUP BY event"))
        if found != self.reported():
            self.world.violated("alerts", f"the messages are {found}")


class AlertOnce(AlertsOfOneJob):
    """A failed run holds its job. A person disables the job and enables it again: the same episodes go on."""

    limits: ClassVar[dict[str, Any]] = {}

    def act(self) -> None:
        self.tick(INSTANT + 0.01)
        self.expect_open("failing", "held")
        self.process(self.b, "a person disables it", lambda: self._switch(on=False), INSTANT + 6)
        self.tick(INSTANT + 7)
        self.expect_open()
        self.process(self.b, "a person enables it", lambda: self._switch(on=True), INSTANT + 12)
        self.tick(INSTANT + 13, interrupted=True)
        self.expect_open("failing", "held")

    def reported(self) -> dict[str, int]:
        return {"alert.failing": 1, "alert.held": 1}

    def _switch(self, *, on: bool) -> None:
        self.world.promises.ledger.edited.add(self.job.pk)
        Job.objects.filter(pk=self.job.pk).update(enabled=on)
