"""``python -m tests.faults --minutes 10 --seed 1``: the scheduler under fire, and what an independent judge counted.

Starts real servers, ticks, a beat and Celery workers as processes, and some dozens of jobs that never cease; then
inflicts a seeded sequence of faults, about one a second, and starts again what was killed, as an init system would.
Each command writes into a witness file when it begins, works and ends. Exits with 0 only if every count of harm is 0.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from tests.faults.inflict import NOT_PROMISED, SCENARIOS, WITH_CLOCKS
from tests.faults.mutations import MUTATIONS
from tests.faults.stage import LEASE, START_DEADLINE, Fault, Stage, set_up

INFLICTORS = 3  # some faults take longer than a lease
CHATTY_LINES = 4000


def main() -> int:
    options = _arguments()
    began = time.monotonic()
    clocks = options.scenario in WITH_CLOCKS
    with set_up(options.database, options.broker, without=options.without, clocks=clocks) as stage:
        faults = play(stage, options)
        row = {**vars(options), **verdict(stage), "faults": sum(faults.values())}
    row["seconds"] = round(time.monotonic() - began)
    show(row, faults, as_json=options.json)
    return 0 if row["clean"] or options.scenario in NOT_PROMISED else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0, help="of faults (default: %(default)g)")
    parser.add_argument("--seed", type=int, default=1, help="of the faults and the jobs (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=44, help="default: %(default)s")
    parser.add_argument("--database", choices=("postgres", "mariadb", "sqlite"), default="postgres")
    parser.add_argument("--broker", choices=("redis", "rabbitmq"), default="redis")
    parser.add_argument("--scenario", choices=sorted(SCENARIOS), default="mix", help="default: %(default)s")
    parser.add_argument(
        "--without", choices=sorted(MUTATIONS), default="", help="take out a safeguard, to see that the judge notices"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    return parser.parse_args()


def play(stage: Stage, options: argparse.Namespace) -> Counter[str]:
    """Jobs run, faults strike; then calm, until nothing can be open any more."""
    from tests.faults import population

    population.populate(random.Random(options.seed), options.jobs)
    over, calm = threading.Event(), threading.Event()
    faults: Counter[str] = Counter()
    dice = [random.Random(options.seed * 1000 + number) for number in range(INFLICTORS)]
    strikes = [
        threading.Thread(target=_strike, args=(stage, each, SCENARIOS[options.scenario], over, faults)) for each in dice
    ]
    keepers = [
        threading.Thread(target=_revive, args=(stage, number, calm), daemon=True) for number in range(len(stage.actors))
    ]
    for thread in [*keepers, *strikes]:
        thread.start()
    over.wait(options.minutes * 60)
    over.set()
    for thread in strikes:
        thread.join()
    stage.calm()
    population.retire()
    _settle(stage)
    calm.set()
    for thread in keepers:
        thread.join()
    return faults


def _strike(
    stage: Stage, dice: random.Random, faults: Sequence[Fault], over: threading.Event, done: Counter[str]
) -> None:
    while not over.wait(dice.uniform(0.5, 5.0)):
        fault = dice.choice(faults)
        try:
            what = fault(stage, dice)
        except Exception as error:  # it met another fault
            what = f"{fault.__name__} came to nothing: {type(error).__name__}"
        done[what] += 1


def _revive(stage: Stage, number: int, calm: threading.Event) -> None:
    while not calm.wait(1.0):
        stage.revive(number)


def _settle(stage: Stage) -> None:
    """Until nothing is open, or the bound has passed: lease, drift, start deadline, and a tick."""
    from chroniker.models import Lease

    until = time.monotonic() + START_DEADLINE + 2 * LEASE + 15
    while time.monotonic() < until and Lease.objects.exists():
        time.sleep(0.5)
    time.sleep(2)  # for a tick that books the jobs as disabled


def verdict(stage: Stage) -> dict[str, Any]:
    from tests.faults import checker

    found = checker.judge(stage.witness, ask_of_database(), CHATTY_LINES)
    return {**found.figures, "clean": found.clean, "examples": dict(found.examples)}


def ask_of_database() -> Any:
    """Plain SQL through the driver alone."""
    from django.db import connection

    def ask(statement: str) -> Sequence[Sequence[Any]]:
        with connection.cursor() as cursor:
            cursor.execute(statement, [])
            rows: Sequence[Sequence[Any]] = cursor.fetchall()
            return rows

    return ask


def show(row: dict[str, Any], faults: Counter[str], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({**row, "inflicted": dict(faults.most_common())}), flush=True)
        return
    for name, value in row.items():
        print(f"{name:<28} {value}")
    print("inflicted:")
    for what, count in faults.most_common():
        print(f"  {count:>4} times {what}")


if __name__ == "__main__":
    sys.exit(main())
