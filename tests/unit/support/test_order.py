"""The order in which xdist's processes execute the tests."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests.support import ROOT, order


def names(items: list[Any]) -> list[str]:
    return [item.name for item in items]


def items(*tests: str) -> list[Any]:
    return [SimpleNamespace(name=test, path=ROOT / test.partition(" ")[0]) for test in tests]


CELERY, SIMULATION, UNIT = (
    "tests/integration/chroniker_celery/test_a.py",
    "tests/simulation/test_b.py",
    "tests/unit/c.py",
)


def test_each_process_begins_with_long_tests_and_gets_a_part_of_the_others() -> None:
    given = items(f"{UNIT} 1", f"{UNIT} 2", f"{CELERY} 1", f"{CELERY} 2", f"{UNIT} 3", f"{UNIT} 4", f"{SIMULATION} 1")
    assert names(order.long_tests_first(given, 2)) == [
        *(f"{SIMULATION} 1", f"{UNIT} 1", f"{UNIT} 2"),
        *(f"{CELERY} 1", f"{CELERY} 2", f"{UNIT} 3", f"{UNIT} 4"),
    ]


@pytest.mark.parametrize("processes", [1, 2, 5, 9])
def test_no_test_is_lost_or_added(processes: int) -> None:
    given = items(*(f"{path} {number}" for number in range(7) for path in (UNIT, CELERY, SIMULATION)))
    assert sorted(names(order.long_tests_first(given, processes))) == sorted(names(given))


@pytest.mark.parametrize("folder", order.LONG)
def test_each_long_folder_exists(folder: str) -> None:
    assert (ROOT / folder).is_dir()
