"""Scenes about time: the edge of a lease, unequal settings, jumps of the database's clock."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import ClassVar

from chroniker.scheduler import tick
from tests.simulation import faults
from tests.simulation.conditions import Interruption
from tests.simulation.processes import Host
from tests.simulation.scenes.base import Scene
from tests.simulation.scenes.runs import OneRun

EVERY_FOUR_SECONDS = "*/4 * * * * *"


class Busy(Scene):
    """A job that is due all the time and runs long: the next run begins as soon as a tick believes the last is over."""

    situation = "run lost"
    places = 8
    step: ClassVar[float] = 0.55
    period: ClassVar[float] = 2.0  #: of the ticks
    hostname: ClassVar[str] = ""  #: of the job

    def play(self) -> None:
        world = self.world
        world.command_seconds, world.period = 200.0, self.period
        self.job = self.add_job(
            cron=EVERY_FOUR_SECONDS, retry_on_lost=True, retry_backoff_seconds=1, hostname=self.hostname
        )
        self.start_schedulers()
        world.run(until=9 + self.place * self.step)
        self.disturb()
        world.run(until=world.now + 24)

    def disturb(self) -> None:
        raise NotImplementedError


class Cut(Busy):
    """The supervisor's host loses the database for longer than the lease."""

    def disturb(self) -> None:
        for process in self.world.processes.values():
            if process.role == "supervisor":
                process.host.unreachable_until = self.world.now + 30


class SlowKill(Cut):
    """As above, on a host that needs 2.5 s to kill a tree: the margin of the lease is for that."""

    def disturb(self) -> None:
        self.world.kill_seconds = 2.5
        super().disturb()


class Stopped(Busy):
    """The supervisor is stopped for longer than the lease; its keeper is not."""

    def disturb(self) -> None:
        for process in self.world.processes.values():
            if process.role == "supervisor":
                process.paused_until = self.world.now + 30


class SlowAnswer(Busy):
    """The answer to a renewal takes 6 s; at once after it the host loses the database."""

    def disturb(self) -> None:
        for process in list(self.world.processes.values()):
            if process.role == "supervisor":
                self.world.interruption = Interruption(process, self.place % 4, 6.0, "slow answer")
                self._cut_after_answer(process.host)

    def _cut_after_answer(self, host: Host) -> None:
        """Between the late answer and the next renewal, which follows within milliseconds."""
        if self.world.interruption is None:
            self.world.after(6.0, partial(_cut, host))
        else:
            self.world.after(0.0005, partial(self._cut_after_answer, host))


class LateAnswer(Busy):
    """One answer to a supervisor takes 6 s, and when it has come its host loses the database."""

    period = 0.5

    def disturb(self) -> None:
        for process in list(self.world.processes.values()):
            if process.role == "supervisor":
                self.world.interruption = Interruption(process, self.place % 4, fault="late answer, then cut")


def _cut(host: Host) -> None:
    host.unreachable_until = host.world.now + 30


class Unequal(Busy):
    """Two hosts with leases of other lengths; a failover, seen by the one with the shorter lease.

    The places cover the time between two renewals of the longer lease.
    """

    places = 20
    hostname = "a"

    def __init__(self, place: int, fault: str) -> None:
        super().__init__(place, fault)
        self.a.settings["CHRONIKER_LOCK_TIMEOUT"] = 60
        self.b.settings["CHRONIKER_LOCK_TIMEOUT"] = 5
        self.world.shortest_lease = None

    situation = "failover seen by one host"

    def disturb(self) -> None:
        state = self.b.clock_state
        self.b.clock_state = dataclasses.replace(state, server="cluster:00000000")
        self.world.note("failover seen by one host")


class ClockJump(Busy):
    """The database's clock jumps ahead by five minutes."""

    situation = "clock jump"

    def disturb(self) -> None:
        self.world.note("clock jump")
        self.world.jump(300)


class ClockJumpBack(Busy):
    """The database's clock goes back by one minute."""

    situation = "clock jump"

    def disturb(self) -> None:
        self.world.note("clock jump")
        self.world.jump(-60)


class JumpOfAClaim(OneRun):
    """The clock jumps while a claim waits for a worker: the claim gets its start deadline again."""

    places = 4
    situation = "clock jump"

    def play(self) -> None:
        world = self.world
        self.claim()
        world.run(until=world.now + 5 + 2 * self.place)
        world.note("clock jump")
        world.jump(300)
        self.start_schedulers()
        world.run(until=world.now + 26)
        world.broker.held = None
        self.finish(until=world.now + 40)


class Failover(Busy):
    """Another server answers; nothing was lost."""

    situation = "failover"

    def disturb(self) -> None:
        self.world.note("failover")
        faults.fail_over(self.world)


class Drift(Cut):
    """As Cut, with a supervisor's host whose clocks lose 1 % of the time."""

    def __init__(self, place: int, fault: str) -> None:
        super().__init__(place, fault)
        self.a.drift = self.b.drift = -0.01


class StartAfterJump(OneRun):
    """A host that has just booted believes a clock that jumped: it gives up a run that lives, and claims the next one.

    Another host has noticed the jump. It refuses to start that run, as the first one still works.
    """

    names: ClassVar[tuple[str, ...]] = ("a", "b", "c")
    settings: ClassVar = {"CHRONIKER_LOCK_TIMEOUT": 20}
    places = 5
    situation = "lost with its tree alive"

    def play(self) -> None:
        world, hosts = self.world, list(self.world.hosts.values())
        world.command_seconds, world.shortest_lease = 200.0, None
        self.add_job(cron=EVERY_FOUR_SECONDS)
        self.book()
        world.broker.held = []
        for host in hosts:
            self.process(host, f"tick of {host.name}", tick.tick, 4.01)
        world.run(until=5)
        self._deliver("a")
        world.run(until=10 + 0.5 * self.place)
        world.jump(300)
        hosts[2].reboot()
        self.process(hosts[2], "the tick after boot", tick.tick, world.now)
        world.run(until=world.now + 0.1)
        self._deliver("b")
        world.run(until=world.now + 8)

    def _deliver(self, host: str) -> None:
        assert self.world.broker.held
        run_id, token, _host = self.world.broker.held[-1]
        self.world.broker.deliver(run_id, token, host)


class RenewalAfterJump(OneRun):
    """A host that has just booted believes a clock that jumped: its tick finds a lease that looks expired.

    The tick is delayed at each of its statements; meanwhile the holder, who has noticed the jump, renews that lease.
    """

    delay = 3.0
    situation = "interrupted"

    def play(self) -> None:
        world = self.world
        world.command_seconds, world.shortest_lease = 60.0, None
        self.claim()
        holder = self.deliver().host
        world.run(until=world.now + 4)
        world.jump(300)
        other = self.b if holder is self.a else self.a
        other.reboot()
        self.interrupt(self.process(other, "the tick after boot", tick.tick, world.now))
        world.run(until=world.now + 8)
