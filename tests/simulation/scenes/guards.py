"""Scenes in which all guards of a run die, in which a process cannot be killed, or in which lock files decide."""

from __future__ import annotations

from typing import ClassVar

from chroniker.models import Job
from tests.simulation import faults
from tests.simulation.actors import start_scheduler, start_worker
from tests.simulation.checker.rows import rows
from tests.simulation.scenes.base import INSTANT
from tests.simulation.scenes.clocks import Busy, Stopped
from tests.simulation.scenes.run_ends import FinishAgainstExpiry
from tests.simulation.scenes.runs import DoubledMessage, OneRun, SupervisorDies

LOCK_FILES = {"CHRONIKER_LOCK_TIMEOUT": 10, "CHRONIKER_CHECK_LOCK_FILE": True}
WITHOUT_GUARDS = "a process survives without guards"


class KilledGuards(Busy):
    """All guards of a run die at once, and a process of its command survives. Only ticks sweep on this host."""

    names: ClassVar[tuple[str, ...]] = ("a",)
    situation = WITHOUT_GUARDS

    def play(self) -> None:
        self.world.child_seconds = 200.0
        super().play()

    def disturb(self) -> None:
        for process in [each for each in self.world.processes.values() if each.role == "supervisor"]:
            faults.kill_guards(self.world, process)


class KilledGuardsElsewhere(KilledGuards):
    """As above; the ticks are on another host. The worker on the run's host sweeps before the lease ends."""

    names: ClassVar[tuple[str, ...]] = ("a", "b")

    def start_schedulers(self) -> None:
        super().start_schedulers()
        for host in (self.a, self.b):
            start_worker(self.world, host)


class KilledGuardsOfASecondStart(OneRun):
    """A supervisor dies with its lock and is swept; a second message starts the run there, and all its guards die."""

    situation = WITHOUT_GUARDS
    places = 3

    def play(self) -> None:
        world = self.world
        world.child_seconds, world.command_seconds = 200.0, 200.0
        self.claim()
        with world.outside():
            Job.objects.update(retry_on_lost=True, retry_backoff_seconds=1)
        for host in world.hosts.values():
            start_worker(world, host)
        first = self.deliver()
        world.run(until=world.now + 0.001)
        first.kill()
        world.run(until=world.now + 9 + self.place)
        run_id, token, _host = world.broker.held[0] if world.broker.held else (None, 0, "")
        assert run_id is not None
        second = world.broker.deliver(run_id, token, first.host.name)
        assert second is not None
        world.run(until=world.now + 2)
        faults.kill_guards(world, second)
        world.broker.held = None
        other = next(host for host in world.hosts.values() if host is not first.host)
        start_scheduler(world, other)
        world.run(until=world.now + 30)


class LockFileKilledGuards(KilledGuards):
    """As killed-guards, where lock files decide: the run is lost as soon as its lock is free."""

    settings: ClassVar = LOCK_FILES


class LockFileSecondRunOfAKeeper(Busy):
    """A keeper serves a second run. It and the supervisor die; a process of the command survives until the parent acts.

    Until then the parent must hold the lock of the second run, since a tick takes a free lock for a dead tree.
    """

    names: ClassVar[tuple[str, ...]] = ("a",)
    settings: ClassVar = LOCK_FILES
    situation = "a keeper serves another run"
    places = 4
    step: ClassVar[float] = 1.3

    def play(self) -> None:
        self.world.keepers_serve_again = True
        super().play()

    def start_schedulers(self) -> None:
        """The commands before the disturbance are short, and leave no process."""
        self.world.command_seconds = 0.3
        super().start_schedulers()
        self.world.after(6.0, self._begin_long_one)

    def _begin_long_one(self) -> None:
        self.world.command_seconds, self.world.child_seconds = 200.0, 200.0

    def disturb(self) -> None:
        """The fork server is slow, so a free lock would be seen before it has killed."""
        for process in list(self.world.processes.values()):
            if process.role == "fork server":
                process.paused_until = self.world.now + 6
        for role in ("supervisor", "keeper"):
            for process in [each for each in self.world.processes.values() if each.role == role]:
                process.kill()
        for seconds in range(1, 8):
            self.world.after(float(seconds), self._look)

    def _look(self) -> None:
        """The tick would also find these processes by their marks, so the lock is checked by itself."""
        living = {each.marker for each in self.world.processes.values() if each.role == "descendant"}
        for run_id, file in self.a.locks.items():
            if run_id in living and not file.is_held:
                self.world.violated("lock", f"free, but a process of run {run_id} lives")


class LockFileStopped(Stopped):
    """Where lock files decide, the supervisor is stopped for longer than the lease. It holds its lock all the time."""

    names: ClassVar[tuple[str, ...]] = ("a",)
    settings: ClassVar = LOCK_FILES
    situation = "a stopped supervisor holds its lock"

    def disturb(self) -> None:
        super().disturb()
        self.world.after(15.0, self._look)

    def _look(self) -> None:
        stopped = [each for each in self.world.processes.values() if each.resumes_at > self.world.now]
        for file in self.a.locks.values():
            if file.is_held and any(each in file.holders for each in stopped):
                self.world.note(self.situation)


class LockFileUnseen(Stopped):
    """Two containers with one host name, where lock files decide that the other container cannot see.

    Neither sees the other's processes, so only the deadline of the keeper ends the tree before the lease ends.
    """

    settings: ClassVar = LOCK_FILES

    def __init__(self, place: int, fault: str) -> None:
        super().__init__(place, fault)
        self.b.settings["CHRONIKER_HOSTNAME"] = self.a.settings["CHRONIKER_HOSTNAME"]


class LockFileSupervisorDies(SupervisorDies):
    """As supervisor-dies, where lock files decide."""

    names: ClassVar[tuple[str, ...]] = ("a",)
    settings: ClassVar = LOCK_FILES


class LockFileDoubledMessage(DoubledMessage):
    """As doubled-message, where lock files decide."""

    names: ClassVar[tuple[str, ...]] = ("a",)
    settings: ClassVar = LOCK_FILES


class LockFileFinish(FinishAgainstExpiry):
    """As finish-against-expiry, where lock files decide: a late supervisor that lives keeps its run."""

    names: ClassVar[tuple[str, ...]] = ("a",)
    settings: ClassVar = LOCK_FILES
    situation = "tree begins"


class Survivor(OneRun):
    """A command leaves a process of another user, which cannot be killed. The job waits until that has ended."""

    places = 4
    situation = "the run ended beside a survivor"

    def play(self) -> None:
        world = self.world
        world.child_seconds, world.children_are_ours = 25.0 + self.place, False
        self.claim()
        self.deliver()
        world.broker.held = None
        self.start_schedulers()
        world.run(until=INSTANT + 12)
        if rows("SELECT 1 FROM chroniker_run WHERE finished_at IS NOT NULL"):
            world.note(self.situation)
        self.process(self.b, "a person", self._run_again, world.now)
        world.run(until=world.now + 30)
        world.child_seconds = 0.0
        self.finish(until=world.now + 10)

    def _run_again(self) -> None:
        Job.objects.filter(pk=self.job.pk).update(force_run=True)


class SurvivorAlone(Survivor):
    """As survivor; the supervisor that keeps the slot dies. The slot is freed when its lease ends."""

    def play(self) -> None:
        self.world.after(INSTANT + 18.0, self._kill_supervisor)
        super().play()

    def _kill_supervisor(self) -> None:
        for process in [each for each in self.world.processes.values() if each.role == "supervisor"]:
            process.kill()


class KeeperDies(Busy):
    """The keeper of a run dies, and a process of its command survives. At odd places the keeper's parent is slow."""

    names: ClassVar[tuple[str, ...]] = ("a",)
    situation = "the keeper died"

    def play(self) -> None:
        self.world.child_seconds = 200.0
        super().play()

    def disturb(self) -> None:
        for process in list(self.world.processes.values()):
            if process.role == "fork server" and self.place % 2:
                process.paused_until = self.world.now + 12
        for process in [each for each in self.world.processes.values() if each.role == "keeper"]:
            self.world.note(self.situation)
            process.kill()
