"""Starts the database of the test run and selects tests. Fixtures are in ``tests/support/fixtures.py``."""

from __future__ import annotations

import gc
import os
import sys
import tempfile
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import hypothesis
import pytest
import pytest_django

from tests.support import ROOT, databases, installed, order, tiers
from tests.support.brokers import broker_names

pytest_plugins = ["chroniker.pytest_plugin", "tests.support.fixtures"]
SERVERS = pytest.StashKey[ExitStack]()

#: The same examples in each run, so that a failure has a cause in the change that is tested; others at night.
hypothesis.settings.register_profile("daily", deadline=None, derandomize=True)
hypothesis.settings.register_profile("nightly", deadline=None)
hypothesis.settings.load_profile(os.environ.get("CHRONIKER_TEST_EXAMPLES", "daily"))


@pytest.fixture(autouse=True)
def nothing_is_prepared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests share a connection and count statements, so the test process prepares none. Its child processes do."""
    if prepared := sys.modules.get("chroniker.models.prepared"):
        monkeypatch.setattr(prepared._sessions, "enabled", False)


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: pytest_django.DjangoDbBlocker) -> None:
    """pytest-django's, and a faster end of each test that commits."""
    from tests.support import emptying

    with django_db_blocker.unblock():
        emptying.install()


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Start the database before Django reads its settings."""
    from django.conf import settings

    # Tests start some hundred Python processes. Without stored bytecode each of them compiles the project again.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    # The settings of this process, and of those that it starts, read it.
    os.environ.setdefault("CHRONIKER_TEST_GC_THRESHOLD", "20000")
    stack = config.stash[SERVERS] = ExitStack()
    if settings.configured and not databases.described():
        raise pytest.UsageError("unset DJANGO_SETTINGS_MODULE: the tests choose their settings themselves")
    try:
        if not config.option.collectonly:
            stack.enter_context(databases.running())
            stack.enter_context(_own_runtime_directory())
    except databases.NoSuchDatabase as problem:
        raise pytest.UsageError(str(problem)) from problem
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    settings.INSTALLED_APPS  # noqa: B018  read now, so that pytest-django sees that there are settings


@contextmanager
def _own_runtime_directory() -> Iterator[None]:
    with tempfile.TemporaryDirectory(prefix="chroniker-run-") as directory:
        os.environ["CHRONIKER_TEST_RUNTIME_DIR"] = directory
        yield


def pytest_unconfigure(config: pytest.Config) -> None:
    config.stash[SERVERS].close()


def pytest_report_header() -> str:
    return f"database: {databases.chosen()}; brokers: {', '.join(broker_names()) or 'none'}"


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> Generator[None]:
    """Add the markers before ``-m`` selects by them, and order what is selected."""
    from tests.support import selection

    for item in items:
        tiers.mark(item)
    selection.select(config, items)
    yield
    items[:] = order.long_tests_first(items, order.number_of_processes())


def pytest_collection_finish() -> None:
    """Let the garbage collector examine what tests make, not the modules and tests again and again: they remain."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    from tests.support import selection

    report = yield
    selection.fail_if_skipped(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    from tests.support import selection

    report = yield
    selection.fail_if_skipped(report)
    return report


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    about_celery = collection_path == ROOT / "tests" / "integration" / "chroniker_celery"
    return True if about_celery and not installed.CELERY else None
