"""A run that a thread of the test supervises."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from chroniker.process.fork_server_client import ForkServer
from chroniker.process.run_spec import RunOutcome
from chroniker.worker.machine import LocalMachine
from chroniker.worker.supervisor import Worker, execute_run
from tests.support.processes import wait_until
from tests.support.supervision.fake_report import FakeReport


class Supervised:
    """A run that a thread supervises."""

    def __init__(self, report: FakeReport, fork_server: ForkServer | None, runtime_dir: Path) -> None:
        self.report = report
        self.ending: RunOutcome | None = None
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._execute, args=(fork_server, runtime_dir), daemon=True)
        self._thread.start()

    def _execute(self, fork_server: ForkServer | None, runtime_dir: Path) -> None:
        try:
            self.ending = execute_run(self.report, Worker(LocalMachine(runtime_dir, fork_server)))
        except BaseException as error:  # raised again by ``end``
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
