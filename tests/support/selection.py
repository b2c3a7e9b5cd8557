"""Selects tests by name, database and installed packages; decides whether a skip is a failure."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from tests.support import databases, installed
from tests.support.servers import OwnNetwork, WrongClock


def fits_database(item: pytest.Item) -> bool:
    """``@pytest.mark.database("postgres", "mariadb")``: on other databases the test is deselected, not skipped."""
    marks = list(item.iter_markers("database"))
    return not marks or any(databases.chosen() in mark.args for mark in marks)


def celery_is_installed() -> bool:
    return installed.CELERY


def fits_environment(item: pytest.Item) -> bool:
    """``@pytest.mark.celery``: deselected where Celery is not installed. The other markers work the same way."""
    there = {"celery": celery_is_installed, "faketime": WrongClock.available, "namespaces": OwnNetwork.available}
    return all(item.get_closest_marker(name) is None or is_there() for name, is_there in there.items())


def has_name(name: str) -> Callable[[pytest.Item], bool]:
    """Selects the tests of this name, with any parameters. ``TestClass.test_name`` and a leading dot are allowed."""
    wanted = name.lstrip(".").split(".")

    def matches(item: pytest.Item) -> bool:
        parts = item.nodeid.split("[")[0].split("::")
        return parts[-len(wanted) :] == wanted

    return matches


def select(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect tests that cannot or should not run here."""
    rules: list[Callable[[pytest.Item], bool]] = [fits_database, fits_environment]
    if name := os.environ.get("TESTNAME"):
        rules.append(has_name(name))
    kept, left_out = list[pytest.Item](), list[pytest.Item]()
    for item in items:
        (kept if all(rule(item) for rule in rules) else left_out).append(item)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = kept


def skips_are_failures() -> bool:
    """In CI everything is installed, so a skipped test would never run."""
    return os.environ.get("CHRONIKER_TESTS_NO_SKIPS") == "1"


def fail_if_skipped(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip into a failure. An expected failure (xfail) stays as it is."""
    if skips_are_failures() and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"skipped where skips are failures: {reason}"
