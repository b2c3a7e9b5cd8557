"""One seed, one history: draw a site, its faults and its people; run with faults; then without; check the promises."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from chroniker.eligibility import pauses
from chroniker.models import Activation, Host, Job, Lease
from tests.simulation import faults, features, people, site
from tests.simulation.actors import start_scheduler, start_worker
from tests.simulation.conditions import Fault
from tests.simulation.processes import Process
from tests.simulation.world import World

LOCK_FILE_SHARE = 0.2  #: of the histories, in which lock files decide, on one host
WARM_UP = 12.0  #: seconds without faults at the beginning
LONGEST_COMMAND = 90.0
HOST_RETURN = 60.0  #: after a cut a host needs this long to be live again


@dataclass(frozen=True)
class Options:
    seconds: float = 60.0  #: with faults
    pace: float = 8.0  #: mean seconds between two faults
    calm: bool = False  #: no faults at all
    faults: tuple[str, ...] | None = None  #: instead of a draw
    actions: tuple[str, ...] | None = None  #: instead of a draw
    rates: dict[str, float] = field(default_factory=dict)
    lock_files: bool = False
    verbose: bool = False


class RandomHistory:
    """Each history has only some kinds of faults, so that no kind hides what another would show."""

    def __init__(self, seed: int, options: Options, only: Collection[Fault] | None = None) -> None:
        """``only``: of the faults and actions that are drawn, these happen and no others."""
        self.options = options
        self.world = world = site.create_world(seed, options.verbose)
        world.keepers_serve_again = seed % 2 == 1
        world.only = None if only is None else frozenset(only)
        rng = world.rng
        self.lease: float = rng.choice([10, 20, 30])
        self.start_deadline: float = rng.choice([20, 40])
        drawn = [name for name in faults.AT_STATEMENTS if rng.random() < 0.35]
        self.rates = {name: faults.AT_STATEMENTS[name] * rng.choice([0.3, 1, 3]) for name in drawn}
        self.faults = [name for name in (*faults.OF_PROCESSES, *faults.OF_HOSTS) if rng.random() < 0.3]
        self.actions = [name for name in people.ACTIONS if rng.random() < 0.4]
        if options.calm:
            self.rates, self.faults = {}, []
        if options.faults is not None:
            self.faults = list(options.faults)
        if options.actions is not None:
            self.actions = list(options.actions)
        self.rates |= options.rates
        self.lock_files = options.lock_files or rng.random() < LOCK_FILE_SHARE
        world.start_deadline = self.start_deadline
        world.shortest_lease = None if self.lock_files else self.lease
        self._add_hosts()

    def _add_hosts(self) -> None:
        rng = self.world.rng
        settings = {
            "CHRONIKER_LOCK_TIMEOUT": self.lease,
            "CHRONIKER_START_DEADLINE_SECONDS": self.start_deadline,
            "CHRONIKER_REDISPATCH_SECONDS": 5,
            "CHRONIKER_HOST_TIMEOUT": 70,
            "CHRONIKER_CHECK_LOCK_FILE": self.lock_files,
        }
        count = 1 if self.lock_files else rng.choice([1, 2, 2, 3])
        for name in ["a", "b", "c"][:count]:
            host = site.add_host(self.world, name, **settings)
            host.drift = rng.choice([0.0, 0.0, 0.0005, -0.0005])
            host.wall_offset = rng.choice([0.0, 0.0, -0.3, 0.3])
        features.name_database(self.world, features.ORIGINAL)

    def run(self) -> World:
        world = self.world
        with world.outside():
            self.jobs = site.draw_jobs(world, lock_files=self.lock_files)
        for host in world.hosts.values():
            start_scheduler(world, host)
            start_worker(world, host)
        world.run(until=WARM_UP)
        world.faults = dict(self.rates)
        self._disturb(until=WARM_UP + self.options.seconds)
        world.run(until=WARM_UP + self.options.seconds)
        self._calm_down()
        world.promises.at_the_end()
        world.end()
        return world

    def _disturb(self, until: float) -> None:
        world, rng = self.world, self.world.rng

        def strike() -> None:
            if world.now < until and self.faults:
                kind = rng.choice(self.faults)
                if world.happens(kind):
                    faults.strike(world, kind, self.lease)
                world.after(rng.expovariate(1 / self.options.pace), strike)

        def act() -> None:
            if world.now < until and self.actions:
                host, action, job = (
                    rng.choice(list(world.hosts.values())),
                    rng.choice(self.actions),
                    rng.choice(self.jobs),
                )
                if world.happens(action):
                    person = Process(host, f"person {next(world.numbers)}", "person")
                    person.start(people.act, world, action, job)
                # half of the actions fall within 50 ms of an instant
                near = 5 - world.now % 5 + rng.uniform(-0.05, 0.05)
                world.after(max(rng.expovariate(1 / 6) if rng.random() < 0.5 else near, 0.001), act)

        world.after(rng.expovariate(1 / 5), strike)
        world.after(3, act)

    def _calm_down(self) -> None:
        """No faults any more, and no new instants: whatever is open ends within its bound."""
        world = self.world
        world.faults = {}
        for process in [each for each in world.processes.values() if each.role == "person"]:
            process.kill()
        for host in world.hosts.values():
            host.unreachable_until = host.paused_until = world.now
        features.end_copy(world)
        with world.outside():
            pauses.resume()
            Host.objects.update(draining_since=None)
            Job.objects.update(enabled=False, force_run=False)
            world.promises.ledger.edited |= set(self.jobs)
        until = world.now + self.bound + LONGEST_COMMAND + HOST_RETURN
        while world.now < until and self._is_open():
            world.run(until=world.now + 5)

    @property
    def bound(self) -> float:
        """Seconds within which every claim ends; two leases of a suspended host included."""
        drift = self.lease / 50 + 1
        return max(self.start_deadline, self.lease) + drift + self.world.period + 2 * self.lease

    def _is_open(self) -> bool:
        with self.world.outside():
            waiting = Activation.objects.filter(ended_at=None)
            return Lease.objects.exists() or waiting.exists() or Job.objects.filter(edited_at__isnull=False).exists()
