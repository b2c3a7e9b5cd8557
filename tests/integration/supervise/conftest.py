"""Supervisors, with keepers from a nursery and without one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chroniker.process.fork_server_client import ForkServer
from chroniker.process.run_spec import RunOutcome
from chroniker.worker.supervisor import execute
from tests.integration.supervise.fake_report import FakeReport
from tests.processes import wait_until


class Supervised:
    """A run that a thread supervises."""

    def __init__(self, report: FakeReport, nursery: ForkServer | None, runtime_dir: Path) -> None:
        self.report = report
        self.ending: RunOutcome | None = None
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._execute, args=(nursery, runtime_dir), daemon=True)
        self._thread.start()

    def _execute(self, nursery: ForkServer | None, runtime_dir: Path) -> None:
        try:
            self.ending = execute(self.report, nursery, runtime_dir=runtime_dir)
        except BaseException as error:  # for the test to look at
            self.error = error

    def running(self) -> bool:
        return self._thread.is_alive()

    def wait_for_text(self, text: str) -> None:
        wait_until(lambda: text in self.report.text() or not self.running(), what=f"“{text}” in the output")
        assert text in self.report.text(), (self.ending, self.report.text(2), self.error)

    def end(self, seconds: float = 60) -> RunOutcome:
        self._thread.join(seconds)
        assert not self.running(), "still supervised"
        if self.error is not None:
            raise self.error
        assert self.ending is not None
        return self.ending


Supervise = Callable[[FakeReport], Supervised]


@pytest.fixture(scope="session")
def warm_nursery() -> Iterator[ForkServer]:
    nursery = ForkServer.start()
    yield nursery
    nursery.close()


@pytest.fixture(params=["warm", "cold"])
def nursery(request: pytest.FixtureRequest) -> ForkServer | None:
    """Each test runs with keepers from a nursery, and with keepers started cold."""
    if request.param == "cold":
        return None
    nursery: ForkServer = request.getfixturevalue("warm_nursery")
    return nursery


@pytest.fixture
def supervise(nursery: ForkServer | None, tmp_path: Path) -> Supervise:
    """Starts the supervision of a report's run in a thread."""
    return lambda report: Supervised(report, nursery, tmp_path)


@pytest.fixture
def run(supervise: Supervise) -> Callable[[FakeReport], RunOutcome]:
    """Supervises a report's run to its end."""
    return lambda report: supervise(report).end()
