"""``python -m tests.mutants``: change the code at random places, and see which changes no test notices.

Mutants are made of the functions in ``--packages``; the fast tests run against each in a fork, on SQLite. Those that
no test notices there are tried again on PostgreSQL, with the tests that run on every database. Fails when fewer than
``--killed`` percent of them fail a test, or when a survivor has no explanation in ``survivors.txt``.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.mutants.operators import Mutant, mutants
from tests.mutants.session import MutantSession, source_files
from tests.support import ROOT
from tests.support.databases import installed

PACKAGES = ["chroniker/lifecycle", "chroniker/schedule", "chroniker/eligibility"]
TESTS = [
    "tests/unit/schedule",
    "tests/integration/lifecycle",
    "tests/integration/eligibility",
    "tests/integration/scheduler",
    "tests/integration/importing",
]
#: pytest names modules of an installed package that are imported already, as ``tests`` is here.
IGNORED = "ignore:Module already imported so cannot be rewritten:pytest.PytestAssertRewriteWarning"
PYTEST = ["-q", "-s", "-p", "no:cacheprovider", "-p", "no:xdist", "-W", IGNORED]
#: Database -> the tests that run there.
SELECTED = {"sqlite": "not nightly", "postgres": "not nightly and every_database"}
EXPLANATIONS = Path(__file__).with_name("survivors.txt")


def explained() -> set[str]:
    """The keys of mutants that change nothing that a test could see. A line that begins with a space explains."""
    lines = EXPLANATIONS.read_text(encoding="utf-8").splitlines()
    return {line for line in lines if line and not line.startswith((" ", "#"))}


@dataclass(frozen=True)
class Outcome:
    survivors: list[Mutant]
    timed_out: int
    finished: bool


def try_on(database: str, chosen: list[Mutant], tests: list[str]) -> Outcome:
    """Run the tests of this database against these mutants. Call it in a process of its own: Django's settings name
    one database for the life of a process."""
    os.environ["TEST_DATABASE"] = database
    print(f"\n{len(chosen)} mutants on {database}", flush=True)
    session = MutantSession(chosen)
    pytest.main([*PYTEST, "-m", SELECTED[database], *tests], plugins=[session])
    return Outcome(session.survivors, session.timed_out, session.finished)


def report(total: int, survivors: list[Mutant], timed_out: int, needed: float) -> int:
    known = explained()
    killed = 100 * (total - len(survivors)) / total
    unknown = [mutant for mutant in survivors if mutant.key not in known]
    for mutant in sorted(survivors, key=lambda each: each.key):
        print(f"{'     ' if mutant.key in known else 'NEW  '}line {mutant.line}: {mutant.key}")
    print(f"{total} mutants, {len(survivors)} survived ({len(unknown)} not explained), {killed:.1f} % killed,")
    print(f"{timed_out} of them since their tests took too long")
    return 1 if killed < needed or unknown else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--count", type=int, default=150)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--killed", type=float, default=85, help="percent")
    parser.add_argument("--packages", nargs="+", default=PACKAGES)
    parser.add_argument("--tests", nargs="+", default=TESTS)
    options = parser.parse_args()
    os.chdir(ROOT)
    found: list[Mutant] = [each for path in source_files(options.packages) for each in mutants(path)]
    chosen = random.Random(options.seed).sample(found, min(options.count, len(found)))
    survivors, timed_out = chosen, 0
    print(f"{len(found)} possible mutants", flush=True)
    for database in filter(installed, SELECTED):
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("fork")) as process:
            outcome = process.submit(try_on, database, survivors, options.tests).result()
        if not outcome.finished:
            return 1
        survivors, timed_out = outcome.survivors, timed_out + outcome.timed_out
    return report(len(chosen), survivors, timed_out, options.killed)


if __name__ == "__main__":
    sys.exit(main())
