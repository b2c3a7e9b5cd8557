"""The play: jobs run, faults strike; then calm, until nothing can be open any more; then the judge."""

from __future__ import annotations

import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from tests.faults import failpoints
from tests.faults.checker import Bounds, Case, Verdict, judge
from tests.faults.inflict import SCENARIOS
from tests.faults.stage import LEASE, Fault, Stage

T = TypeVar("T")

INFLICTORS = 5  # some faults take longer than a lease; together they make about one a second
PAUSE = (0.5, 4.0)  #: seconds between two faults of one inflictor
PERIOD = 5.0  #: between two passes of a tick that nothing wakes
CHATTY_LINES = 4000
NEWS = 10.0

#: How long the faults may keep every tick from its work: frozen for two leases, or waiting to try the database again.
AWAY = 2 * LEASE + 30


#: Scenarios in which the database's clock, or the database itself, is not the same all the time.
UNSTEADY = ("database-clock", "failover-async")


@dataclass
class Play:
    """What was done, and what the judge says."""

    verdict: Verdict
    inflicted: Counter[str] = field(default_factory=Counter)
    points: dict[str, int] = field(default_factory=dict)
    unreached: list[str] = field(default_factory=list)


@dataclass
class Chronicle:
    """Faults as they happen; now and then a line to stderr."""

    began: float = field(default_factory=time.monotonic)
    done: Counter[str] = field(default_factory=Counter)
    latest: list[str] = field(default_factory=list)
    told: float = 0.0

    def note(self, what: str) -> None:
        self.done[what] += 1
        self.latest.append(what)
        if (now := time.monotonic() - self.began) - self.told > NEWS:
            self.told = now
            self.say(f"{sum(self.done.values())} faults so far; the latest: {'; '.join(self.latest[-3:])}")
            self.latest.clear()

    def say(self, text: str) -> None:
        print(f"{time.monotonic() - self.began:6.0f} s  {text}", file=sys.stderr, flush=True)


def play(stage: Stage, scenario: str, minutes: float, seed: int, jobs: int, chronicle: Chronicle) -> Play:
    from tests.faults import population, tables

    population.populate(random.Random(seed), jobs)
    chronicle.say(f"{jobs} jobs, {len(stage.actors)} processes: {', '.join(map(str, stage.actors))}")
    calm = threading.Event()
    doctors = _threads(lambda number: _revive(stage, number, calm), range(len(stage.actors)))
    try:
        _inflict(stage, scenario, minutes, seed, chronicle)
        chronicle.say(f"{sum(chronicle.done.values())} faults were inflicted; calm, until every run has ended")
        tables.retire()
        bounds = Bounds(LEASE, stage.start_deadline, PERIOD, AWAY, stage.database is not None, scenario not in UNSTEADY)
        _settle(bounds.of_all + population.LONGEST)
        verdict = judge(Case(stage.witness, bounds, CHATTY_LINES), tables.ask)
    finally:
        calm.set()
        for thread in doctors:
            thread.join()
    return Play(
        verdict, chronicle.done, failpoints.hits(stage.failpoints), failpoints.unreached(stage.failpoints)
    )


def _inflict(stage: Stage, scenario: str, minutes: float, seed: int, chronicle: Chronicle) -> None:
    """Returns in calm: all faults are over, and what they broke is whole."""
    from django.db import connections

    dice = [random.Random(seed * 1000 + number) for number in range(INFLICTORS)]
    strikes = _threads(lambda each: _strike(stage, each, SCENARIOS[scenario], chronicle), dice)
    try:
        stage.over.wait(minutes * 60)
    finally:
        stage.over.set()
        for thread in strikes:
            thread.join()
        stage.calm()
        connections.close_all()  # the database may have been restarted


def _threads(call: Callable[[T], None], each: Sequence[T]) -> list[threading.Thread]:
    threads = [threading.Thread(target=call, args=(one,)) for one in each]
    for thread in threads:
        thread.start()
    return threads


def _strike(stage: Stage, dice: random.Random, faults: Sequence[Fault], chronicle: Chronicle) -> None:
    from django.db import connections

    while faults and not stage.over.wait(dice.uniform(*PAUSE)):
        fault = dice.choice(faults)
        try:
            what = fault(stage, dice)
        except Exception as error:  # it met another fault
            what = f"{fault.__name__} came to nothing: {type(error).__name__}"
        finally:
            connections.close_all()  # one of them may restart the database
        chronicle.note(what)


def _revive(stage: Stage, number: int, calm: threading.Event) -> None:
    while not calm.wait(1.0):
        stage.revive(number)


def _settle(seconds: float) -> None:
    """Until every run has ended and every job is booked as disabled, or the bound has passed."""
    from chroniker.models import Job, Lease

    until = time.monotonic() + seconds
    while time.monotonic() < until and (Lease.objects.exists() or Job.objects.exclude(edited_at=None).exists()):
        time.sleep(0.5)
