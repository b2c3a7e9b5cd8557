"""``python -m tests.faults --minutes 10 --seed 1``: the scheduler under faults, with an independent checker.

Starts real servers, ticks, beats and Celery workers as processes, and some hundred jobs that run all the time; then
injects a seeded sequence of faults, about one per second, and restarts what was killed, as an init system does.
Each command writes to a witness file when it begins, works and ends. Exits with 0 only if there is no violation.

``--mutations`` removes one safeguard after the other instead; exits with 0 only if the checker reported each.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

from tests.faults import history, mutation_run, versions
from tests.faults.checker import VIOLATIONS
from tests.faults.configurations import CONFIGURATIONS
from tests.faults.environment import START_DEADLINE
from tests.faults.injection import NOT_PROMISED, SCENARIOS, START_DEADLINES, WITH_CLOCKS
from tests.faults.installation import create
from tests.faults.mutations import MUTATIONS, was_called
from tests.faults.trial import FaultLog, TrialResult, run

#: Exit status: the trial proves nothing, because the product never called what was replaced.
MUTATION_NOT_CALLED = 3


def main() -> int:
    options = _arguments()
    signal.signal(signal.SIGTERM, _end)
    if options.mutations:
        return mutation_run.main(options.database, options.broker, options.seed, as_json=options.json)
    began = time.monotonic()
    log = FaultLog()
    log.say(f"starting the installation on {options.database} and {options.broker}")
    clocks = options.scenario in WITH_CLOCKS
    deadline = START_DEADLINES.get(options.scenario, START_DEADLINE)
    configuration = CONFIGURATIONS[options.configuration]
    database = configuration.database or options.database
    with create(
        database, options.broker, configuration, without=options.without, clocks=clocks, start_deadline=deadline
    ) as environment:
        result = run(environment, options.scenario, options.minutes, options.seed, options.jobs, log)
        if options.without and not was_called(environment.mutation_calls):
            print(f"The mutation {options.without!r} was never called: the product no longer uses that name.")
            return MUTATION_NOT_CALLED
        report = _report(options, result, versions.of_all(environment), round(time.monotonic() - began))
        if options.keep:
            history.write(environment, report, log.history, options.keep)
    show(report, as_json=options.json)
    return 0 if result.findings.clean or options.scenario in NOT_PROMISED else 1


def _end(number: int, frame: object) -> NoReturn:
    """As an error would: nothing that was started is left behind."""
    raise SystemExit(128 + number)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=10.0, help="of faults (default: %(default)g)")
    parser.add_argument("--seed", type=int, default=1, help="of the faults and the jobs (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=240, help="default: %(default)s")
    parser.add_argument("--database", choices=("postgres", "mariadb", "sqlite"), default="postgres")
    parser.add_argument("--broker", choices=("redis", "rabbitmq"), default="redis")
    parser.add_argument("--scenario", choices=sorted(SCENARIOS), default="mix", help="default: %(default)s")
    parser.add_argument(
        "--without", choices=sorted(MUTATIONS), default="", help="take out a safeguard, to see that the checker notices"
    )
    parser.add_argument(
        "--configuration", choices=sorted(CONFIGURATIONS), default="default", help="of the installation under test"
    )
    parser.add_argument("--keep", type=Path, help="a directory for the history: report, witness file, tables, logs")
    parser.add_argument("--mutations", action="store_true", help="take out each of them in turn, for half a minute")
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a table")
    return parser.parse_args()


def _report(options: argparse.Namespace, result: TrialResult, using: dict[str, str], seconds: int) -> dict[str, Any]:
    findings = result.findings
    given = {
        name: getattr(options, name)
        for name in ("minutes", "seed", "jobs", "database", "broker", "scenario", "configuration")
    }
    if options.without:
        given["without"] = options.without
    return {
        "clean": findings.clean,
        "again": "python -m tests.faults " + " ".join(f"--{name} {value}" for name, value in given.items()),
        "seconds": seconds,
        **given,
        "versions": using,
        "violations": {goal: findings.figures[goal] for goal in VIOLATIONS},
        "figures": {name: value for name, value in findings.figures.items() if name not in VIOLATIONS},
        "examples": dict(findings.examples),
        "faults": sum(result.injected.values()),
        "injected": dict(result.injected.most_common()),
        "failpoints": result.points,
        "steps_not_reached": result.unreached,
    }


def show(report: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(report), flush=True)
        return
    for name, value in report["versions"].items():
        print(f"  {name:<28} {value}")
    print("\nViolations (each must be 0)")
    for name, value in report["violations"].items():
        print(f"  {name:<28} {value:>8}  {VIOLATIONS[name]}")
    for name, those in report["examples"].items():
        print("".join(f"\n    {name}: {one}" for one in those))
    print("\nFigures")
    for name, value in report["figures"].items():
        print(f"  {name:<28} {value:>8}")
    print(f"\nInflicted: {report['faults']} faults in {report['minutes']:g} minutes")
    for what, count in report["injected"].items():
        print(f"  {count:>6} times {what}")
    hit = {point: count for point, count in report["failpoints"].items() if count}
    print(f"\nDied at {len(hit)} of {len(report['failpoints'])} points between two statements: {hit}")
    if report["steps_not_reached"]:
        print(f"Steps that no process entered: {', '.join(report['steps_not_reached'])}")
    print(f"\n{'Clean' if report['clean'] else 'NOT CLEAN'}, after {report['seconds']} s. Again: {report['again']}")


if __name__ == "__main__":
    sys.exit(main())
