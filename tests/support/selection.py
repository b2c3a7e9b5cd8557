"""Which tests run: one by name, those for this database, those that need Celery; and what a skip means."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from tests.support import databases, installed
from tests.support.servers import OwnNetwork, WrongClock


def fits_database(item: pytest.Item) -> bool:
    """``@pytest.mark.database("postgres", "mariadb")``: a test about those is no test elsewhere, not a skipped one."""
    marks = list(item.iter_markers("database"))
    return not marks or any(databases.chosen() in mark.args for mark in marks)


def celery_is_there() -> bool:
    return installed.CELERY


def fits_environment(item: pytest.Item) -> bool:
    """``@pytest.mark.celery``: where Celery is not installed, what is about Celery is no test. So with the others."""
    there = {"celery": celery_is_there, "faketime": WrongClock.available, "namespaces": OwnNetwork.available}
    return all(item.get_closest_marker(name) is None or is_there() for name, is_there in there.items())


def has_name(name: str) -> Callable[[pytest.Item], bool]:
    """Selects the tests of that name, with any parameters; ``TestClass.test_name`` works, and so does a leading dot."""
    wanted = name.lstrip(".").split(".")

    def matches(item: pytest.Item) -> bool:
        parts = item.nodeid.split("[")[0].split("::")
        return parts[-len(wanted) :] == wanted

    return matches


def select(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect what is not asked for here."""
    rules: list[Callable[[pytest.Item], bool]] = [fits_database, fits_environment]
    if name := os.environ.get("TESTNAME"):
        rules.append(has_name(name))
    kept = [item for item in items if all(rule(item) for rule in rules)]
    if len(kept) < len(items):
        config.hook.pytest_deselected(items=[item for item in items if item not in set(kept)])
        items[:] = kept


def skips_are_failures() -> bool:
    """In CI everything is installed: what is skipped there is a test that nobody runs."""
    return os.environ.get("CHRONIKER_TESTS_NO_SKIPS") == "1"


def fail_if_skipped(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip into a failure. An expected failure that failed is reported as a skip too, and stays what it is."""
    if skips_are_failures() and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"skipped where skips are failures: {reason}"
