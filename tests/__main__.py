"""``python -m tests [--before-merge | --nightly] [pytest's arguments]``: the tests on each database, and one summary.

``CHRONIKER_TEST_DATABASES`` names the databases; without it: those of sqlite, postgres and mariadb that are installed.
On the first database run all tests but those marked ``before_merge`` or ``nightly``. ``--before-merge`` adds the
former, also on the second broker. On the other databases run those marked ``every_database``, with one broker. With
``--nightly`` all tests run on each database; the second broker is used on the first database only.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass

from tests.support import ROOT
from tests.support.databases import VENDORS, installed

#: Tests of real processes wait more than they compute: three workers for each processor keep it busy.
PARALLEL = ["-n", str((os.cpu_count() or 1) * 3), "--dist", "worksteal"]
#: Option -> the markers of the tests that are left out.
LEFT_OUT = {"": ["nightly", "before_merge"], "--before-merge": ["nightly"], "--nightly": []}
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


def selected(option: str, *, first: bool) -> list[str]:
    """pytest's option ``-m`` for a database. A test that ``TESTNAME`` names runs wherever it can."""
    if os.environ.get("TESTNAME"):
        return []
    conditions = [f"not {marker}" for marker in LEFT_OUT[option]]
    if not first:
        conditions += ["not second_broker"] if option == "--nightly" else ["not second_broker", "every_database"]
    return ["-m", " and ".join(conditions)] if conditions else []


def run(vendor: str, arguments: list[str]) -> Result:
    started = time.monotonic()
    parallel = [] if os.environ.get("TESTNAME") else PARALLEL
    command = [sys.executable, "-m", "pytest", *parallel, *arguments]
    status = subprocess.run(command, cwd=ROOT, env={**os.environ, "TEST_DATABASE": vendor}, check=False).returncode
    return Result(vendor, status, time.monotonic() - started)


def main(arguments: list[str]) -> int:
    option = next((argument for argument in arguments if argument in LEFT_OUT), "")
    if option == "--nightly":
        os.environ.setdefault("CHRONIKER_TEST_EXAMPLES", "nightly")  # random ones
    others = [argument for argument in arguments if argument != option]
    results: list[Result] = []
    for vendor in vendors():
        print(f"\n##### {vendor}", flush=True)
        results.append(run(vendor, [*selected(option, first=not results), *others]))
        if results[-1].status == 2:  # Ctrl-C ends all of it
            break
    print("\n##### summary", *results, sep="\n", flush=True)
    missing = [vendor for vendor in VENDORS if vendor not in {result.vendor for result in results}]
    if missing:
        print(f"not run: {', '.join(missing)}")
    # One test by name may exist for some of the databases only; a name without any test is an error.
    ran = {result.status for result in results} - {5}
    return 1 if ran - {0} else 0 if ran else 5


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
