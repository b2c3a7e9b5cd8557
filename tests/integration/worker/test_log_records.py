"""The log records of the processes that supervise a run carry the run."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator

import pytest

from chroniker.logs import RunFilter, current_logged_run, log_about_run
from chroniker.process.run_marker import PLACEHOLDER_ID
from chroniker.process.run_spec import RunOutcome
from chroniker.process.run_variables import VARIABLES
from tests.support.supervision.fake_report import FakeReport

logger = logging.getLogger("tests.records")


class Talking(FakeReport):
    """Logs from the thread of the supervisor (no keeper yet) and from that of the reporter."""

    def start(self, pid: int) -> object:  # type: ignore[override]
        logger.warning("it starts")
        return super().start(pid)

    def finish(self, ending: RunOutcome) -> bool:
        logger.warning("it ends")
        return super().finish(ending)


class Records(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.addFilter(RunFilter())
        self.setFormatter(logging.Formatter("%(chroniker)s%(message)s %(chroniker_job_id)s %(chroniker_run)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture
def records() -> Iterator[Records]:
    handler = Records()
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


def test_records_of_a_supervisor_carry_job_and_run(run: Callable[[FakeReport], RunOutcome], records: Records) -> None:
    names = {VARIABLES["job_name"]: "nightly", VARIABLES["job_id"]: "42", VARIABLES["token"]: "7"}
    report = Talking("true", variables=names)
    assert run(report).exit_code == 0
    logger.warning("outside")
    first, last, outside = records.lines
    assert first == f"[{report.run_id}] it starts  {report.run_id}"
    assert last == f"[nightly #7] it ends 42 {report.run_id}"
    assert outside == "outside  "


def test_two_runs_in_two_threads_do_not_mix(records: Records) -> None:
    both, ids = threading.Barrier(2), [FakeReport("true").run_id for _ in range(2)]

    def work(number: int) -> None:
        with log_about_run(ids[number]):
            both.wait()
            logger.warning("mine")

    threads = [threading.Thread(target=work, args=[number]) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(records.lines) == sorted(f"[{each}] mine  {each}" for each in ids)


def test_the_mark_of_a_fork_server_is_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLES["run_id"], PLACEHOLDER_ID)
    assert current_logged_run().run == ""
