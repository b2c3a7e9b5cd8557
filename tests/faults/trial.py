"""A trial: jobs run, faults are injected; then none, until nothing can be open any more; then the checker."""

from __future__ import annotations

import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from tests.faults import failpoints
from tests.faults.checker import Bounds, Case, Findings, Pause, check
from tests.faults.environment import LEASE, Environment, Fault
from tests.faults.injection import SCENARIOS, WORKER_PAUSED

T = TypeVar("T")

INJECTORS = 5  # some faults take longer than a lease; together they make about one a second
PAUSE = (0.5, 4.0)  #: seconds between two faults of one injector
PERIOD = 5.0  #: between two passes of a tick that nothing wakes
CHATTY_LINES = 4000
LOG_INTERVAL = 10.0

#: How long the faults may keep every tick from its work: frozen for two leases, or waiting to try the database again.
AWAY = 2 * LEASE + 30


#: Scenarios in which the database's clock, or the database itself, is not the same all the time.
DATABASE_CLOCK_CHANGES = ("database-clock", "failover-async")


@dataclass
class TrialResult:
    """The injected faults, and the findings of the checker."""

    findings: Findings
    injected: Counter[str] = field(default_factory=Counter)
    points: dict[str, int] = field(default_factory=dict)
    unreached: list[str] = field(default_factory=list)


class InjectedFault(NamedTuple):
    """Its beginning and end by the clock of the witness file, ``time.monotonic``."""

    began: float
    ended: float
    what: str


@dataclass
class FaultLog:
    """Faults as they happen; now and then a line to stderr."""

    began: float = field(default_factory=time.monotonic)
    done: Counter[str] = field(default_factory=Counter)
    latest: list[str] = field(default_factory=list)
    logged_at: float = 0.0
    history: list[InjectedFault] = field(default_factory=list)

    def note(self, fault: InjectedFault) -> None:
        self.done[fault.what] += 1
        self.history.append(fault)
        self.latest.append(fault.what)
        if (now := time.monotonic() - self.began) - self.logged_at > LOG_INTERVAL:
            self.logged_at = now
            self.say(f"{sum(self.done.values())} faults so far; the latest: {'; '.join(self.latest[-3:])}")
            self.latest.clear()

    def pauses(self) -> list[Pause]:
        return [(each.began, each.ended) for each in self.history if each.what == WORKER_PAUSED]

    def say(self, text: str) -> None:
        print(f"{time.monotonic() - self.began:6.0f} s  {text}", file=sys.stderr, flush=True)


def run(environment: Environment, scenario: str, minutes: float, seed: int, jobs: int, log: FaultLog) -> TrialResult:
    from tests.faults import tables, workload

    workload.create_jobs(random.Random(seed), jobs)
    log.say(f"{jobs} jobs, {len(environment.actors)} processes: {', '.join(map(str, environment.actors))}")
    calm = threading.Event()
    restarters = _threads(lambda number: _keep_running(environment, number, calm), range(len(environment.actors)))
    try:
        _inject_faults(environment, scenario, minutes, seed, log)
        log.say(f"{sum(log.done.values())} faults were injected; calm, until every run has ended")
        tables.disable_jobs()
        bounds = Bounds(
            environment.lease,
            environment.start_deadline,
            PERIOD,
            AWAY,
            environment.by_lease,
            scenario not in DATABASE_CLOCK_CHANGES,
        )
        _wait_until_closed(bounds.of_all + workload.LONGEST)
        start = time.time() - time.monotonic()
        findings = check(Case(environment.witness, bounds, CHATTY_LINES, start, log.pauses()), tables.query)
    finally:
        calm.set()
        for thread in restarters:
            thread.join()
    return TrialResult(
        findings, log.done, failpoints.hits(environment.failpoints), failpoints.unreached(environment.failpoints)
    )


def _inject_faults(environment: Environment, scenario: str, minutes: float, seed: int, log: FaultLog) -> None:
    """Returns when all faults are over and everything is repaired."""
    from django.db import connections

    rng = [random.Random(seed * 1000 + number) for number in range(INJECTORS)]
    injectors = _threads(lambda each: _inject(environment, each, SCENARIOS[scenario], log), rng)
    try:
        environment.over.wait(minutes * 60)
    finally:
        environment.over.set()
        for thread in injectors:
            thread.join()
        environment.calm()
        connections.close_all()  # the database may have been restarted


def _threads(call: Callable[[T], None], each: Sequence[T]) -> list[threading.Thread]:
    threads = [threading.Thread(target=call, args=(one,)) for one in each]
    for thread in threads:
        thread.start()
    return threads


def _inject(environment: Environment, rng: random.Random, faults: Sequence[Fault], log: FaultLog) -> None:
    from django.db import connections

    while faults and not environment.over.wait(rng.uniform(*PAUSE)):
        fault, began = rng.choice(faults), time.monotonic()
        try:
            what = fault(environment, rng)
        except Exception as error:  # it met another fault
            what = f"{fault.__name__} came to nothing: {type(error).__name__}"
        log.note(InjectedFault(began, time.monotonic(), what))
        connections.close_all()  # one of them may restart the database


def _keep_running(environment: Environment, number: int, calm: threading.Event) -> None:
    while not calm.wait(1.0):
        environment.restart(number)


def _wait_until_closed(seconds: float) -> None:
    """Until every run has ended and every job is booked as disabled, or the bound has passed."""
    from chroniker.models import Job, Lease

    until = time.monotonic() + seconds
    while time.monotonic() < until and (Lease.objects.exists() or Job.objects.exclude(edited_at=None).exists()):
        time.sleep(0.5)
