"""Scenes about one run: its messages, its start, its renewals, and the tick that expires it."""

from __future__ import annotations

from typing import ClassVar

from chroniker.scheduler import tick
from tests.simulation.checker.rows import rows, true_time
from tests.simulation.processes import Process
from tests.simulation.scenes.base import INSTANT, NEVER, Scene

FORMAT = "%Y-%m-%d %H:%M:%S.%f"
WITH_SUPERVISOR = "another process acted while the supervisor was under way"


class OneRun(Scene):
    """A run is claimed at the instant; the scene delivers its message itself."""

    situation = WITH_SUPERVISOR
    settings: ClassVar = {"CHRONIKER_LOCK_TIMEOUT": 10}

    def claim(self) -> None:
        self.job = self.add_job(cron=NEVER)
        self.book()
        self.world.broker.held = []
        self.process(self.a, "the tick", self._run_now, INSTANT)
        self.world.run(until=INSTANT + 1)

    def _run_now(self) -> None:
        from chroniker.scheduler import manual_runs

        manual_runs.run_now(self.job, "a person")

    def deliver(self, number: int = 0) -> Process:
        """A supervisor for the message, on a host that the seed chooses."""
        held = self.world.broker.held
        assert held
        worker = self.world.broker.deliver(*held[number])
        assert worker is not None
        return worker

    def run_id(self) -> str:
        ((run,),) = rows("SELECT id FROM chroniker_run ORDER BY token LIMIT 1")
        return str(run)


class DoubledMessage(OneRun):
    """A message comes twice; the first supervisor is delayed at each of its statements."""

    has_other = True

    def play(self) -> None:
        self.claim()
        first = self.deliver()
        self.interrupt(first)
        self.world.run(until=self.world.now + 0.3)
        second = self.deliver()
        self.interrupt_other(second)
        self.world.run(until=self.world.now + 1)
        self.note_if_under_way(first, WITH_SUPERVISOR)
        self.world.run(until=self.world.now + 1)
        self.world.note("second supervisor", "ended" if second.dead else "works")
        self.world.broker.held = None
        self.start_schedulers()
        with self.undisturbed():
            self.finish(until=self.world.now + 20)

    def verify(self) -> None:
        """A delay shorter than the lease harms nothing."""
        found = [status for (status,) in rows("SELECT status FROM chroniker_run")]
        if self.fault == "delay" and self.second is None and found != ["SUCCEEDED"]:
            self.world.violated("a second message changes nothing", f"the runs are {found}")


class LateMessage(OneRun):
    """A message comes after the start deadline, when no tick has closed the claim yet."""

    places = 6
    situation = "the message came"

    def play(self) -> None:
        self.claim()
        self.world.run(until=INSTANT + 38 + self.place)
        self.deliver()
        self.world.note("the message came")
        self.world.run(until=self.world.now + 2)
        self.world.broker.held = None
        self.start_schedulers()
        self.finish(until=self.world.now + 5)


class SupervisorDies(OneRun):
    """The supervisor dies, or its connection breaks, at each of its statements."""

    faults: ClassVar[tuple[str, ...]] = ("kill", "fail", "lose answer", "kill in transaction")
    situation = "interrupted"

    def play(self) -> None:
        self.claim()
        worker = self.deliver()
        self.interrupt(worker)
        self.world.run(until=self.world.now + 8)
        with self.undisturbed():
            self.world.broker.held = None
            self.start_schedulers()
            self.finish(until=self.world.now + 20)


class RenewalAgainstExpiry(OneRun):
    """The supervisor is delayed beyond its lease at each of its statements; no tick expires the run meanwhile."""

    delay = 13.0
    situation = "the lease ran out"

    def play(self) -> None:
        self.world.command_seconds = 60.0
        self.claim()
        worker = self.deliver()
        self.interrupt(worker)
        for _second in range(24):
            self.world.run(until=self.world.now + 1)
            if rows("SELECT 1 FROM chroniker_lease WHERE expires_at < ?", true_time(self.world).strftime(FORMAT)):
                self.world.note(self.situation)
        with self.undisturbed():
            self.world.broker.held = None
            self.start_schedulers()
            self.finish(until=self.world.now + 10)


class LostMessage(OneRun):
    """The message is lost at the broker; the claim is dispatched again and starts within its deadline."""

    places = 1
    situation = "tree begins"

    def play(self) -> None:
        self.claim()
        self.world.broker.held = None
        self.start_schedulers()
        self.world.run(until=INSTANT + 39)
        self.finish(until=self.world.now + 5)

    def verify(self) -> None:
        for status, started_at in rows("SELECT status, started_at FROM chroniker_run"):
            if started_at is None:
                self.world.violated("dispatched again", f"the run never began, and is {status}")


class ForgedMessage(OneRun):
    """A message with another token comes before the right one; one to a host that the run is not for, before and after.

    The supervisor of the first one is delayed at each of its statements.
    """

    def claim(self) -> None:
        self.job = self.add_job(cron=NEVER, hostname="a")
        self.book()
        self.process(self.b, "a tick", tick.tick, self.world.now)  # from then on it starts runs in one statement
        self.world.broker.held = []
        self.process(self.a, "the tick", self._run_now, INSTANT)
        self.world.run(until=INSTANT + 1)

    def play(self) -> None:
        self.claim()
        assert self.world.broker.held
        run_id, token, host = self.world.broker.held[0]
        forged = self.world.broker.deliver(run_id, token + 1, host)
        assert forged is not None
        self.interrupt(forged)
        self.world.run(until=self.world.now + 0.5)
        self.world.broker.deliver(run_id, token, "b")
        self.note_if_under_way(forged, WITH_SUPERVISOR)
        self.world.run(until=self.world.now + 2.5)
        self.deliver()
        self.world.run(until=self.world.now + 0.5)
        self.world.broker.deliver(run_id, token, "b")
        self.world.run(until=self.world.now + 4)
        with self.undisturbed():
            self.world.broker.held = None
            self.start_schedulers()
            self.finish(until=self.world.now + 15)

    def verify(self) -> None:
        found = [tuple(row) for row in rows("SELECT host, status FROM chroniker_run")]
        if found != [("a", "SUCCEEDED")]:
            self.world.violated("forged messages", f"the runs are {found}")


class LateRecord(OneRun):
    """A claim is dispatched, and its record delayed at each statement; meanwhile the run starts, and fails."""

    delay = 5.0
    situation = "the run ended before the claimer"

    def play(self) -> None:
        self.world.command_seconds, self.world.command_code = 0.5, 1
        self.job = self.add_job(cron=NEVER, hostname="a")
        self.book()
        claimer = self.process(self.a, "a person", self._run_now, INSTANT)
        self.interrupt(claimer)
        self.world.run(until=INSTANT + 4)
        if rows("SELECT 1 FROM chroniker_run WHERE finished_at IS NOT NULL"):
            self.note_if_under_way(claimer, self.situation)
        self.world.run(until=INSTANT + 12)
