"""How TESTNAME and CHRONIKER_TESTS_NO_SKIPS change a test run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.selection import fail_if_skipped, has_name


def item(nodeid: str) -> Any:
    return SimpleNamespace(nodeid=nodeid)


@pytest.mark.parametrize("name", [".test_one", "test_one", "TestCase.test_one", ".TestCase.test_one"])
def test_a_test_is_found_by_its_name(name: str) -> None:
    assert has_name(name)(item("tests/unit/test_x.py::TestCase::test_one"))
    assert has_name(name)(item("tests/unit/test_x.py::TestCase::test_one[with.dots::and-more]"))


@pytest.mark.parametrize("name", ["test_on", "one", "Other.test_one", "test_x"])
def test_a_part_of_a_name_does_not_select_the_test(name: str) -> None:
    assert not has_name(name)(item("tests/unit/test_x.py::TestCase::test_one"))


def report(**attributes: Any) -> Any:
    return SimpleNamespace(skipped=True, outcome="skipped", longrepr=("file", 1, "no server"), **attributes)


def test_a_skip_is_a_failure_if_skips_are_forbidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHRONIKER_TESTS_NO_SKIPS", "1")
    skipped = report()
    fail_if_skipped(skipped)
    assert skipped.outcome == "failed"
    assert "no server" in skipped.longrepr


def test_an_expected_failure_is_not_a_skip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHRONIKER_TESTS_NO_SKIPS", "1")
    expected = report(wasxfail="known")
    fail_if_skipped(expected)
    assert expected.outcome == "skipped"


def test_a_skip_is_allowed_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHRONIKER_TESTS_NO_SKIPS", raising=False)
    skipped = report()
    fail_if_skipped(skipped)
    assert skipped.outcome == "skipped"
