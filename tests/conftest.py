"""The test run: its database, its servers, its selection of tests. CONTRIBUTING lists the fixtures."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests import databases, installed
from tests.brokers import Broker, broker_names, start_broker
from tests.servers import MariaDBServer, PostgresServer, RabbitMQServer, RedisServer, Server

ROOT = Path(__file__).parent.parent
SERVERS = pytest.StashKey[ExitStack]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--only-database-tests",
        action="store_true",
        help="leave out what need not run again for each database: tests that touch none, and the second broker",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Start the database before Django reads its settings."""
    from django.conf import settings

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


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    from tests import selection

    selection.select(config, items)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    from tests import selection

    report = yield
    selection.fail_if_skipped(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    from tests import selection

    report = yield
    selection.fail_if_skipped(report)
    return report


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    return True if collection_path == ROOT / "tests" / "celery" and not installed.CELERY else None


def _running(server: type[Server]) -> Iterator[Server]:
    if not server.available():
        pytest.skip(f"{server.name} is not installed here")
    with server() as started:
        yield started


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Server]:
    """A Redis or Valkey server; ``reset()`` empties it."""
    yield from _running(RedisServer)


@pytest.fixture(scope="session")
def rabbitmq_server() -> Iterator[Server]:
    yield from _running(RabbitMQServer)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """A PostgreSQL server beside the one of the test database."""
    yield from _running(PostgresServer)


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[Server]:
    """A MariaDB server beside the one of the test database."""
    yield from _running(MariaDBServer)


@pytest.fixture(scope="session", params=["redis", "rabbitmq"])
def broker_session(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """One broker after the other, where installed, for the whole run."""
    yield from start_broker(request.param)


@pytest.fixture
def broker(broker_session: Broker) -> Iterator[Broker]:
    """A real broker, empty: the test runs once on Redis and once on RabbitMQ. Celery's app in this process uses it."""
    with broker_session.in_use():
        yield broker_session


@pytest.fixture(scope="session")
def redis_broker_session() -> Iterator[Broker]:
    yield from start_broker("redis")


@pytest.fixture
def redis_broker(redis_broker_session: Broker) -> Iterator[Broker]:
    """Like ``broker``, on Redis alone: for tests where the broker's kind makes no difference."""
    with redis_broker_session.in_use():
        yield redis_broker_session


@pytest.fixture
def subprocess_env(transactional_db: None) -> dict[str, str]:
    """The environment for a process that shall work on this test's database: a copy, to change at will.

    Other processes see committed rows only, hence the dependency. Settings go in as JSON in
    ``CHRONIKER_TEST_SETTINGS``; see ``tests.processes.with_settings``.
    """
    from django.db import connection

    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "CHRONIKER_TEST_DB_NAME": str(connection.settings_dict["NAME"]),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
        "PYTHONUNBUFFERED": "1",
    }
