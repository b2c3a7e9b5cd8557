"""Supervisors with keepers from a fork server, and with keepers started cold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chroniker.process.fork_server_client import ForkServer
from chroniker.process.run_spec import RunOutcome
from tests.support.supervision.fake_report import FakeReport
from tests.support.supervision.supervised import Supervise, Supervised


@pytest.fixture(scope="session")
def warm_fork_server() -> Iterator[ForkServer]:
    fork_server = ForkServer.start()
    yield fork_server
    fork_server.close()


@pytest.fixture(params=["warm", "cold"])
def fork_server(request: pytest.FixtureRequest) -> ForkServer | None:
    """Each test runs with keepers from a fork server, and with keepers started cold."""
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
