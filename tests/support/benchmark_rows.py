"""The rows that a benchmark prints, and the counts that they may not exceed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from tests.support import ROOT, databases

#: Variables of the test run's own processes; a benchmark has its own servers.
_OURS = ("CHRONIKER_TEST_DB_", "CHRONIKER_TEST_BROKER_", "CHRONIKER_TEST_SETTINGS", "DJANGO_SETTINGS_MODULE")


def printed_by(*words: str, on_chosen: bool = True) -> list[dict[str, Any]]:
    """The rows that a benchmark printed. ``on_chosen``: on the database of this test run."""
    database = ["--database", databases.chosen()] if on_chosen else []
    env = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks", *words, "--json", *database],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=env,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def limits() -> dict[str, float]:
    """The most of each count, on the database of this test run."""
    text = (ROOT / "tests" / "benchmarks" / "counts.json").read_text(encoding="utf-8")
    found: dict[str, float] = json.loads(text)[databases.chosen()]
    return found
