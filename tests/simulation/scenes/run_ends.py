"""Scenes about the end of one run: finished, stopped, timed out, or behind a fence."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from django.db import connection, transaction

from chroniker.command_api.fence import Fence
from chroniker.exceptions import LeaseLost
from chroniker.models import Group, Job, Run
from chroniker.scheduler import stopping, tick
from tests.simulation.checker.rows import rows
from tests.simulation.command import Command
from tests.simulation.scenes.runs import WITH_SUPERVISOR, OneRun

EFFECT, EFFECTS = "an effect", "SELECT 1 FROM chroniker_group WHERE name = ?"


class FinishAgainstExpiry(OneRun):
    """The supervisor is delayed beyond its lease at each of its statements; a tick expires the run meanwhile."""

    has_other = True
    delay = 16.0
    situation = "run lost"

    def play(self) -> None:
        self.claim()
        worker = self.deliver()
        self.interrupt(worker)
        self.world.run(until=self.world.now + 12.5)
        self.interrupt_other(self.process(self.b, "expiring tick", tick.tick, self.world.now))
        self.world.run(until=self.world.now + 1.5)
        self.note_if_under_way(worker, WITH_SUPERVISOR)
        self.world.run(until=self.world.now + 4)
        with self.undisturbed():
            self.world.broker.held = None
            self.start_schedulers()
            self.finish(until=self.world.now + 10)


class StopAgainstFinish(OneRun):
    """A person stops the run while its supervisor is delayed at each of its statements."""

    has_other = True

    def play(self) -> None:
        self.claim()
        worker = self.deliver()
        self.interrupt(worker)

        def stop() -> None:
            run = Run.objects.order_by("token").first()
            assert run is not None
            stopping.stop_run(run.pk, "a person")
            self.note_if_under_way(worker, WITH_SUPERVISOR)

        self.interrupt_other(self.process(self.b, "a person", stop, self.world.now + 3.2))
        self.world.run(until=self.world.now + 8)
        with self.undisturbed():
            self.world.broker.held = None
            self.start_schedulers()
            self.finish(until=self.world.now + 15)


class StopAgainstStart(OneRun):
    """A person stops a queued run, and is delayed at each statement; its message comes meanwhile."""

    def play(self) -> None:
        self.claim()
        run = UUID(self.run_id())
        person = self.process(self.b, "a person", lambda: stopping.stop_run(run, "a person"), self.world.now)
        self.interrupt(person)
        self.world.run(until=self.world.now + 1)
        self.interrupt_other(self.deliver())
        self.world.run(until=self.world.now + 0.9)
        self.note_if_under_way(person, WITH_SUPERVISOR)
        self.world.run(until=self.world.now + 4)
        with self.undisturbed():
            self.world.broker.held = None
            self.start_schedulers()
            self.finish(until=self.world.now + 15)


class FenceAgainstExpiry(OneRun):
    """A command's transaction has read already, and is delayed at each of its statements; a tick expires its run.

    Where the database has isolation levels, the transaction is at REPEATABLE READ.
    """

    delay = 16.0
    situation = "run lost"
    names: ClassVar[tuple[str, ...]] = ("a", "b", "c")

    def play(self) -> None:
        self.claim()
        worker = self.deliver()
        self.world.run(until=self.world.now + 1)
        ((self.token,),) = rows("SELECT token FROM chroniker_run")
        self.check, self.world.after_commit = self.world.after_commit, self._look
        worker.host.unreachable_until = self.world.now + 30
        other, third = (host for host in self.world.hosts.values() if host is not worker.host)
        self.interrupt(self.process(other, "the command", self._effect, self.world.now))
        self.world.run(until=self.world.now + 13)
        self.process(third, "expiring tick", tick.tick, self.world.now)
        self.world.run(until=self.world.now + 10)

    def _effect(self) -> None:
        fence = Fence()
        fence.run_id, fence.token = UUID(self.run_id()), self.token
        try:
            with transaction.atomic():
                if connection.vendor == "postgresql":
                    with connection.cursor() as cursor:
                        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                Run.objects.count()
                with fence:
                    Group.objects.create(name=EFFECT)
        except LeaseLost:
            self.world.note("the fence refuses")

    def _look(self) -> None:
        self.check()
        if not self.world.counts.get("the effect was committed") and rows(EFFECTS, EFFECT):
            self.world.note("the effect was committed")
            if rows("SELECT 1 FROM chroniker_run WHERE finished_at IS NOT NULL"):
                self.world.violated("fence", "an effect was committed after its run was closed")


class Timeout(OneRun):
    """A command runs for longer than its job allows; at even places it ignores SIGTERM."""

    places = 4
    situation = "tree begins"

    def play(self) -> None:
        self.world.command_seconds = 80.0
        self.claim()
        Job.objects.update(timeout_seconds=3)
        self.deliver()
        self.world.run(until=self.world.now + 1)
        for process in self.world.processes.values():
            if isinstance(process, Command):
                process.obeys_sigterm = bool(self.place % 2)
        self.world.broker.held = None
        self.start_schedulers()
        self.finish(until=self.world.now + 20)
