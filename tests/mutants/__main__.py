"""``python -m tests.mutants``: change the code at random places, and see which changes no test notices.

Mutants are made of the functions in ``--packages``; the fast tests run against each in a fork, on SQLite. Fails when
fewer than ``--killed`` percent of them fail a test, or when a survivor has no explanation in ``survivors.txt``.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

import pytest

from tests.mutants.operators import Mutant, mutants
from tests.mutants.session import MutantSession, source_files
from tests.support import ROOT

PACKAGES = ["chroniker/lifecycle", "chroniker/schedule", "chroniker/eligibility"]
TESTS = [
    "tests/unit/schedule",
    "tests/integration/lifecycle",
    "tests/integration/eligibility",
    "tests/integration/scheduler",
    "tests/integration/importing",
]
PYTEST = ["-q", "-s", "-p", "no:cacheprovider", "-p", "no:xdist", "-m", "not nightly"]
EXPLANATIONS = Path(__file__).with_name("survivors.txt")


def explained() -> set[str]:
    """The keys of mutants that change nothing that a test could see. A line that begins with a space explains."""
    lines = EXPLANATIONS.read_text(encoding="utf-8").splitlines()
    return {line for line in lines if line and not line.startswith((" ", "#"))}


def report(session: MutantSession, needed: float) -> int:
    if not session.finished:
        return 1
    total, known = len(session.chosen), explained()
    killed = 100 * (total - len(session.survivors)) / total
    unknown = [mutant for mutant in session.survivors if mutant.key not in known]
    for mutant in sorted(session.survivors, key=lambda each: each.key):
        print(f"{'     ' if mutant.key in known else 'NEW  '}line {mutant.line}: {mutant.key}")
    print(f"{total} mutants, {len(session.survivors)} survived ({len(unknown)} not explained), {killed:.1f} % killed,")
    print(f"{session.timed_out} of them since their tests took too long")
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
    os.environ["TEST_DATABASE"] = "sqlite"
    found: list[Mutant] = [each for path in source_files(options.packages) for each in mutants(path)]
    session = MutantSession(found, options.count, options.seed)
    print(f"{len(found)} possible mutants", flush=True)
    pytest.main([*PYTEST, *options.tests], plugins=[session])
    return report(session, options.killed)


if __name__ == "__main__":
    sys.exit(main())
