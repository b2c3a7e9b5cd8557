"""The databases and the broker of each test."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests import __main__ as run_all
from tests.support import ROOT, tiers


class Item(SimpleNamespace):
    """The part of pytest's items that these functions use."""

    def __init__(self, path: str = "tests/unit/test_x.py", *given: pytest.Mark, **fields: Any) -> None:
        super().__init__(path=ROOT / path, nodeid=path, added=[], given={mark.name: mark for mark in given}, **fields)

    def add_marker(self, marker: Any) -> None:
        self.added.append(getattr(marker, "name", marker))

    def get_closest_marker(self, name: str) -> pytest.Mark | None:
        mark: pytest.Mark | None = self.given.get(name)
        return mark


@pytest.mark.parametrize(
    ("path", "markers"),
    [
        ("tests/integration/lifecycle/test_x.py", ["every_database"]),
        (tiers.ONE_DATABASE[0], []),
        ("tests/project/test_x.py", ["nightly"]),
        ("tests/faults/test_x.py", ["before_merge"]),
        ("tests/unit/test_x.py", ["every_python"]),
        ("tests/unit/project/test_x.py", []),
        ("tests/integration/admin/test_x.py", []),
    ],
)
def test_the_folder_of_a_test_decides_its_tier(path: str, markers: list[str]) -> None:
    item: Any = Item(path)
    tiers.mark(item)
    assert item.added == markers


@pytest.mark.parametrize(
    ("path", "markers"),
    [
        (tiers.SECOND_BROKER[0], ["second_broker", "before_merge"]),
        ("tests/integration/admin/test_x.py", ["second_broker", "nightly"]),
    ],
)
def test_a_test_on_rabbitmq_runs_at_night_unless_brokers_may_differ_in_it(path: str, markers: list[str]) -> None:
    item: Any = Item(path, callspec=SimpleNamespace(params={"broker_session": "rabbitmq"}))
    tiers.mark(item)
    assert item.added == markers


def test_a_test_of_one_database_runs_on_it() -> None:
    item: Any = Item("tests/integration/admin/test_x.py", pytest.mark.database("postgres").mark)
    tiers.mark(item)
    assert item.added == ["every_database"]


@pytest.mark.parametrize(
    "place", [*tiers.EVERY_DATABASE, *tiers.ONE_DATABASE, *tiers.SECOND_BROKER, *tiers.BEFORE_MERGE, *tiers.NIGHTLY]
)
def test_each_folder_of_a_tier_exists(place: str) -> None:
    assert (ROOT / place).exists()


@pytest.mark.parametrize(
    ("first", "option", "expression"),
    [
        (True, "", ["-m", "not nightly and not before_merge"]),
        (False, "", ["-m", "not nightly and not before_merge and not second_broker and every_database"]),
        (True, "--before-merge", ["-m", "not nightly"]),
        (False, "--before-merge", ["-m", "not nightly and not second_broker and every_database"]),
        (True, "--nightly", []),
        (False, "--nightly", ["-m", "not second_broker"]),
    ],
)
def test_the_tests_of_a_database_are_selected(
    first: bool, option: str, expression: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TESTNAME", raising=False)
    assert run_all.selected(option, first=first) == expression
