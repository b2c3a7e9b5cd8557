"""Supervisors with keepers from a fork server, and with keepers started cold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.db import connection

from chroniker.process.fork_server_client import ForkServer
from chroniker.process.run_spec import RunOutcome
from tests.support.supervision.fake_report import FakeReport
from tests.support.supervision.supervised import Supervise, Supervised


@pytest.fixture(scope="session")
def warm_fork_server() -> Iterator[ForkServer]:
    """Started by the first test that uses it, in the environment of ``fork_server``."""
    fork_server = ForkServer.start()
    yield fork_server
    fork_server.close()


@pytest.fixture(params=["warm", "cold"])
def fork_server(request: pytest.FixtureRequest, db: None, monkeypatch: pytest.MonkeyPatch) -> ForkServer | None:
    """Each test runs with keepers from a fork server, and with keepers started cold.

    Their commands find the database of the tests: Django's checks of models ask MariaDB for its version, from Django
    6.1 on.
    """
    monkeypatch.setenv("CHRONIKER_TEST_DB_NAME", str(connection.settings_dict["NAME"]))
    if request.param == "cold":
        return None
    fork_server: ForkServer = request.getfixturevalue("warm_fork_server")
    return fork_server


@pytest.fixture
def supervise(fork_server: ForkServer | None, tmp_path: Path) -> Supervise:
    """Supervise the run of a report in a thread."""
    return lambda report: Supervised(report, fork_server, tmp_path)


@pytest.fixture
def run(supervise: Supervise) -> Callable[[FakeReport], RunOutcome]:
    """Supervise the run of a report until it ends."""
    return lambda report: supervise(report).end()
