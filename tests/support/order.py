"""The order of the tests: each of xdist's processes begins with long ones, so that none is left alone with them.

xdist gives each process an equal part of the list, in its order; a process that has finished its part takes tests from
the end of another one.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support import ROOT

#: Most tests in these folders are long: they start processes and wait for them. The longest first.
LONG = (
    "tests/simulation/",
    "tests/integration/chroniker_celery/",
    "tests/faults/",
    "tests/integration/management/",
    "tests/integration/worker/",
    "tests/integration/process/",
    "tests/browser/",
)


def long_tests_first(items: Sequence[pytest.Item], processes: int) -> list[pytest.Item]:
    """The tests in the order for this number of processes. Tests of one module that follow each other stay together,
    and keep their order: they share servers."""
    groups = [list(group) for _path, group in itertools.groupby(items, key=lambda item: item.path)]
    long = sorted((group for group in groups if _rank(group) < len(LONG)), key=_rank)
    others = [item for group in groups if _rank(group) == len(LONG) for item in group]
    ordered: list[pytest.Item] = []
    for number in range(processes):
        ordered += itertools.chain.from_iterable(long[number::processes])
        ordered += others[len(others) * number // processes : len(others) * (number + 1) // processes]
    return ordered


def number_of_processes() -> int:
    """Those that share the tests; one without xdist."""
    return int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", 1))


def _rank(group: Sequence[pytest.Item]) -> int:
    path = Path(group[0].path).relative_to(ROOT).as_posix()
    return next((rank for rank, folder in enumerate(LONG) if path.startswith(folder)), len(LONG))
