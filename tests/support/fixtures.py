"""The fixtures that all tests share. Nothing here may import Django's models before the database is up."""

from __future__ import annotations

import os
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client, override_settings

from chroniker.process.startup_threads import list_project_threads
from tests.support import ROOT, message_servers
from tests.support.brokers import Broker, start_broker
from tests.support.declared_app import Shop
from tests.support.manage import Manage
from tests.support.processes import wait_until, with_settings
from tests.support.servers import MariaDBServer, PostgresServer, RabbitMQServer, RedisServer, Server

if TYPE_CHECKING:
    from chroniker.executors.dummy import DummyExecutor


@pytest.fixture(autouse=True)
def _health_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The health of the scheduler is unknown until a test calls ``health_facts.clear_cached_health_facts``.

    A process keeps it for some seconds: the statements of a page would depend on the test before.
    """
    from chroniker.insights import health_facts

    monkeypatch.setattr(health_facts._cache, "kept", (float("inf"), None))


@pytest.fixture(autouse=True)
def _no_periodic_work(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first tick on an empty database does all periodic work of the fleet. Only tests marked ``periodic_work`` let
    it, since that takes a third of the time of a short test."""
    from chroniker.scheduler import fleet_work

    if not request.node.get_closest_marker("periodic_work"):
        monkeypatch.setattr(fleet_work, "enabled_periodic_work", dict)


@pytest.fixture(autouse=True)
def _no_connection_is_kept() -> Iterator[None]:
    """A kept connection of a test would hold up the removal of the test database."""
    yield
    from chroniker.executors import report_connections

    report_connections.close_idle_connections()


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    """The next test would see a thread of this one: the check W013 names every thread of the process."""
    before = set(list_project_threads())
    yield
    wait_until(lambda: set(list_project_threads()) <= before, what="the threads of the test have ended")


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
    """One broker after the other, where they are installed, for the whole test run."""
    yield from start_broker(request.param)


@pytest.fixture
def broker(broker_session: Broker) -> Iterator[Broker]:
    """A real, empty broker, first Redis, then RabbitMQ. The Celery app of this process uses it."""
    with broker_session.in_use():
        yield broker_session


@pytest.fixture(scope="session")
def redis_broker_session() -> Iterator[Broker]:
    yield from start_broker("redis")


@pytest.fixture
def redis_broker(redis_broker_session: Broker) -> Iterator[Broker]:
    """Like ``broker``, on Redis only: for tests where both brokers behave alike."""
    with redis_broker_session.in_use():
        yield redis_broker_session


@pytest.fixture
def subprocess_env(transactional_db: None) -> dict[str, str]:
    """A new copy of the environment for a process that works on the database of this test.

    Other processes see committed rows only, hence the dependency. Settings go in as JSON in
    ``CHRONIKER_TEST_SETTINGS``; see ``tests.support.processes.with_settings``.
    """
    from django.db import connection

    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "CHRONIKER_TEST_DB_NAME": str(connection.settings_dict["NAME"]),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")])),
        "PYTHONUNBUFFERED": "1",
    }


@pytest.fixture
def dummy(db: None) -> Iterator[DummyExecutor]:
    """The default executor only records the runs it receives; leases, not lock files, decide which runs are alive."""
    from chroniker.executors import executors
    from chroniker.executors.dummy import DummyExecutor

    backend = {"default": {"BACKEND": "chroniker.executors.dummy.DummyExecutor"}}
    with override_settings(CHRONIKER_EXECUTORS=backend, CHRONIKER_CHECK_LOCK_FILE=False):
        executor = executors["default"]
        assert isinstance(executor, DummyExecutor)
        yield executor
    executors.close()


@pytest.fixture
def staff(db: None) -> Callable[..., Client]:
    """``staff("view_job", "run_job")``: a client of a staff user with these permissions only."""

    from django.contrib.auth.models import Permission, User

    def login(*codenames: str, strict: bool = False) -> Client:
        user = User.objects.create_user(f"person {User.objects.count()}", is_staff=True)
        found = Permission.objects.filter(content_type__app_label="chroniker", codename__in=codenames)
        assert len(found) == len(codenames), codenames
        user.user_permissions.set(found)
        client = Client(enforce_csrf_checks=strict)
        client.force_login(user)
        return client

    return login


@pytest.fixture
def admin(db: None) -> Client:
    """A client of a superuser."""
    from django.contrib.auth.models import User

    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return client


@pytest.fixture
def mail_server() -> Iterator[message_servers.MailServer]:
    """A real server that receives the mails of the test."""
    with message_servers.mail_server() as server:
        yield server


@pytest.fixture
def web_server() -> Iterator[message_servers.WebServer]:
    """A real server on its own port."""
    with message_servers.web_server() as server:
        yield server


@pytest.fixture
def manage(subprocess_env: dict[str, str], tmp_path: Path) -> Manage:
    """``manage.py`` with the local executor, leases that a busy machine renews, and its own directory of lock files."""
    settings = {
        "CHRONIKER_RUNTIME_DIR": str(tmp_path / "runtime"),
        "CHRONIKER_LOCK_TIMEOUT": 60,
        "CHRONIKER_STOP_GRACE_SECONDS": 1,
    }
    return Manage(with_settings(subprocess_env, **settings), tmp_path)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    from django.conf import settings

    made = Shop(f"shop_{uuid.uuid4().hex[:8]}", tmp_path / "code")
    (made.root / made.name / "management" / "commands").mkdir(parents=True)
    for folder in ("", "management", "management/commands"):
        (made.root / made.name / folder / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(made.root))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # a source that changes within a second looks unchanged
    apps: list[Any] = [*settings.INSTALLED_APPS, made.name]
    with override_settings(INSTALLED_APPS=apps):
        yield made
    made.forget()
    sys.modules.pop(made.name, None)
