"""The database of each test, and the number of its attempts."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests import __main__ as run_all
from tests.support import ROOT, reruns, tiers

MAX_REAL_PROCESSES = 40


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
        ("tests/project/test_x.py", ["nightly"]),
        ("tests/integration/admin/test_x.py", []),
    ],
)
def test_the_folder_of_a_test_decides_its_tier(path: str, markers: list[str]) -> None:
    item: Any = Item(path)
    tiers.mark(item)
    assert item.added == markers


@pytest.mark.parametrize(
    ("path", "markers"),
    [(tiers.SECOND_BROKER[0], ["second_broker"]), ("tests/unit/test_x.py", ["second_broker", "nightly"])],
)
def test_a_test_on_rabbitmq_runs_at_night_unless_brokers_may_differ_in_it(path: str, markers: list[str]) -> None:
    item: Any = Item(path, callspec=SimpleNamespace(params={"broker_session": "rabbitmq"}))
    tiers.mark(item)
    assert item.added == markers


def test_a_test_of_one_database_runs_on_it() -> None:
    item: Any = Item("tests/unit/test_x.py", pytest.mark.database("postgres").mark)
    tiers.mark(item)
    assert item.added == ["every_database"]


@pytest.mark.parametrize("place", [*tiers.EVERY_DATABASE, *tiers.SECOND_BROKER, *tiers.NIGHTLY])
def test_each_folder_of_a_tier_exists(place: str) -> None:
    assert (ROOT / place).exists()


@pytest.mark.parametrize(
    ("first", "nightly", "expression"),
    [
        (True, False, ["-m", "not nightly"]),
        (False, False, ["-m", "not nightly and not second_broker and every_database"]),
        (True, True, []),
        (False, True, ["-m", "not second_broker"]),
    ],
)
def test_the_tests_of_a_database_are_selected(
    first: bool, nightly: bool, expression: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TESTNAME", raising=False)
    assert run_all.selected(first=first, nightly=nightly) == expression


def test_only_a_test_with_a_cause_may_run_again() -> None:
    plain: Any = Item()
    reruns.allow(plain)
    assert plain.added == []
    allowed: Any = Item("", pytest.mark.real_processes("a signal may come late").mark)
    reruns.allow(allowed)
    assert allowed.added == ["flaky"]
    with pytest.raises(pytest.UsageError, match="needs the cause"):
        reruns.allow(Item("", pytest.mark.real_processes().mark))  # type: ignore[arg-type]


def uses_of_real_processes() -> Iterator[Path]:
    for path in ROOT.glob("tests/**/test_*.py"):
        if path == Path(__file__):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Attribute) and node.attr == "real_processes":
                yield path


def test_few_tests_may_run_again() -> None:
    assert len(list(uses_of_real_processes())) <= MAX_REAL_PROCESSES


@pytest.mark.parametrize(("allowed", "too_many"), [(None, False), (2, False), (1, True)])
def test_more_reruns_than_allowed_fail_the_run(allowed: int | None, too_many: bool) -> None:
    reporter = SimpleNamespace(stats={"rerun": [1, 2]})
    plugins = SimpleNamespace(get_plugin=lambda name: reporter)
    session: Any = SimpleNamespace(config=SimpleNamespace(pluginmanager=plugins))
    assert reruns.too_many(session, allowed) is too_many
