"""The fault runner itself, for a moment, on the database of this test run. ``make faults`` is the long one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.faults import mutation_run
from tests.faults.configurations import CONFIGURATIONS
from tests.support import ROOT, databases

#: It has a database of its own, and still is a test of each kind of them.
pytestmark = [pytest.mark.celery, pytest.mark.django_db]


@pytest.fixture(autouse=True)
def servers_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing ties the runner to the database that this test run works on."""
    for name in [name for name in os.environ if name.startswith("CHRONIKER_TEST_DB_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(ROOT)


def run_mix(*words: str) -> dict[str, Any]:
    words = ("--minutes", "0.3", "--jobs", "39", "--json", *words)
    done = subprocess.run([sys.executable, "-m", "tests.faults", *words], capture_output=True, text=True, check=False)
    assert done.stdout, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    assert not any(report["violations"].values()), report
    assert report["figures"]["executions"] and report["faults"], report
    assert done.returncode == 0
    return report


def test_a_short_mix_of_faults_has_no_violations() -> None:
    run_mix("--database", databases.chosen())


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.database(each.database or "postgres"))
        for name, each in CONFIGURATIONS.items()
        if name != "default"
    ],
)
def test_a_short_mix_in_each_configuration_has_no_violations(name: str) -> None:
    run_mix("--configuration", name, "--database", databases.chosen())


def test_without_the_unique_lease_the_checker_reports_overlaps() -> None:
    assert mutation_run.trial("unique-lease", databases.chosen(), "redis", seed=1)["overlapping"]
