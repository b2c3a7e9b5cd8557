"""The log records of the processes that supervise a run carry the run."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator

import pytest

from chroniker.logs import RunFilter, current_run_log_labels, label_log_records_with_run_id
from chroniker.process.run_marker import PLACEHOLDER_RUN_ID
from chroniker.process.run_spec import RunOutcome
from chroniker.process.run_variables import RUN_VARIABLES
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
    names = {RUN_VARIABLES["job_name"]: "nightly", RUN_VARIABLES["job_id"]: "42", RUN_VARIABLES["token"]: "7"}
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
        with label_log_records_with_run_id(ids[number]):
            both.wait()
            logger.warning("mine")

    threads = [threading.Thread(target=work, args=[number]) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(records.lines) == sorted(f"[{each}] mine  {each}" for each in ids)


def test_the_mark_of_a_fork_server_is_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(RUN_VARIABLES["run_id"], PLACEHOLDER_RUN_ID)
    assert current_run_log_labels().run == ""
