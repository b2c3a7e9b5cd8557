"""Fail when a test that once existed is neither collected nor accounted for in ``.ci/test_ids/changes.txt``.

``every.txt`` lists the tests of all databases, ``sqlite.txt`` (and so on) those of one database only. Renames in
``changes.txt`` apply in their order, so a test may be renamed twice. Parameters are counted, not compared: a case may
be called ``test_x[b]`` instead of ``test_x[a]``, but the number of cases must not fall. The pytest options that select
a tier are not used here: every test of the project is collected.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

LISTS = Path(__file__).parent / "test_ids"
ROOT = Path(__file__).parent.parent
DATABASES = ("sqlite", "postgres", "mariadb")


def read(name: str) -> list[str]:
    lines = (LISTS / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#")]


def collected(database: str) -> Counter[str]:
    """How many cases each test has now."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    environment = {**os.environ, "TEST_DATABASE": database}
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if result.returncode:
        raise SystemExit(f"pytest could not collect the tests on {database}:\n{result.stdout}{result.stderr}")
    return Counter(test_of(line) for line in result.stdout.splitlines() if "::" in line)


def test_of(test_id: str) -> str:
    return test_id.partition("[")[0]


def is_part_of(test: str, name: str) -> bool:
    return test == name or test.startswith(name if name.endswith("/") else f"{name}::")


def apply_changes(test: str, changes: list[str]) -> str | None:
    """The name of a test today, or None where a reason says that it is gone."""
    for change in changes:
        if found := re.fullmatch(r"(\S+) -> (\S+)", change):
            old, new = found.groups()
            if is_part_of(test, old):
                test = new + test.removeprefix(old)
        elif found := re.fullmatch(r"(\S+) : (.+)", change):
            if is_part_of(test, found[1]):
                return None
        else:
            raise SystemExit(f"changes.txt: neither OLD -> NEW nor OLD : REASON: {change}")
    return test


def missing(database: str, changes: list[str]) -> list[str]:
    wanted = Counter(test_of(line) for line in [*read("every.txt"), *read(f"{database}.txt")])
    now = collected(database)
    expected: Counter[str] = Counter()
    for test, cases in wanted.items():
        name = apply_changes(test, changes)
        if name is not None:
            expected[name] = max(expected[name], cases)  # two tests may have become one
    return [f"{test}: {now[test]} of {cases}" for test, cases in sorted(expected.items()) if now[test] < cases]


def main() -> int:
    changes, lost = read("changes.txt"), 0
    for database in DATABASES:
        for line in missing(database, changes):
            print(f"{database}: {line} cases are collected")
            lost += 1
    print(f"{lost} tests are lost" if lost else "no test is lost")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
