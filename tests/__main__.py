"""``python -m tests [pytest's arguments]``: the tests on every database in turn, and one summary.

``CHRONIKER_TEST_DATABASES`` names the databases; without it: those of sqlite, postgres and mariadb that are installed.
What touches no database, and the second broker, run with the first one only. Each file of tests runs in one of several
processes, and is tried up to twice more when it fails; ``-n 0 --reruns 0`` among the arguments does neither.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass

from tests.support import ROOT
from tests.support.databases import VENDORS, installed

#: Tests of real processes wait more than they compute: one process more than there are processors keeps those busy.
PARALLEL = ["-n", str((os.cpu_count() or 1) + 1), "--dist", "loadfile"]
#: In such a crowd a test may run out of patience: what fails three times in a row has failed. Each such test is named.
PATIENCE = ["--reruns", "2", "--reruns-delay", "2", "-raR"]
OUTCOMES = {0: "passed", 1: "FAILED", 2: "interrupted", 5: "no tests"}


@dataclass(frozen=True)
class Result:
    vendor: str
    status: int
    seconds: float

    def __str__(self) -> str:
        outcome = OUTCOMES.get(self.status, f"error {self.status}")
        return f"{self.vendor:<10} {outcome:<12} {self.seconds:6.0f} s"


def vendors() -> list[str]:
    named = os.environ.get("CHRONIKER_TEST_DATABASES", "").replace(",", " ").split()
    return named or [vendor for vendor in VENDORS if installed(vendor)]


def run(vendor: str, arguments: list[str]) -> Result:
    started = time.monotonic()
    crowd = [] if os.environ.get("TESTNAME") else [*PARALLEL, *PATIENCE]
    command = [sys.executable, "-m", "pytest", *crowd, *arguments]
    status = subprocess.run(command, cwd=ROOT, env={**os.environ, "TEST_DATABASE": vendor}, check=False).returncode
    return Result(vendor, status, time.monotonic() - started)


def main(arguments: list[str]) -> int:
    results: list[Result] = []
    for vendor in vendors():
        print(f"\n##### {vendor}", flush=True)
        again = ["--only-database-tests"] if results else []
        results.append(run(vendor, [*again, *arguments]))
        if results[-1].status == 2:  # Ctrl-C: meant for all of it
            break
    print("\n##### summary", *results, sep="\n", flush=True)
    missing = [vendor for vendor in VENDORS if vendor not in {result.vendor for result in results}]
    if missing:
        print(f"not run: {', '.join(missing)}")
    # A single test asked for by name may be none for some of the databases; none anywhere is a mistake.
    ran = {result.status for result in results} - {5}
    return 1 if ran - {0} else 0 if ran else 5


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
