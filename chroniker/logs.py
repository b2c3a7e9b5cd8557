"""A filter for ``LOGGING`` that adds job and run to log records: of commands, and of the processes that execute them.

In a command's process (and the programs that it starts with Python) job and run come from the environment, in a worker
from the run that the thread supervises.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from uuid import UUID

from chroniker.escaping import to_one_line
from chroniker.process.run_marker import PLACEHOLDER_RUN_ID
from chroniker.process.run_variables import RUN_VARIABLES


@dataclass(slots=True)
class RunLogLabels:
    """The run that a thread works for. The job is empty until the run has started."""

    run: str = ""
    token: str = ""
    job_id: str = ""
    job: str = ""

    def update(self, variables: Mapping[str, str]) -> None:
        """Take the values of a run's variables."""
        self.run = variables.get(RUN_VARIABLES["run_id"], self.run)
        self.token = variables.get(RUN_VARIABLES["token"], self.token)
        self.job_id = variables.get(RUN_VARIABLES["job_id"], self.job_id)
        self.job = variables.get(RUN_VARIABLES["job_name"], self.job)


_current: ContextVar[RunLogLabels | None] = ContextVar("chroniker_logged_run", default=None)


@contextmanager
def label_log_records_with_run_id(run_id: UUID) -> Iterator[RunLogLabels]:
    """Context manager: log records of this thread get the job and run of this run."""
    with label_log_records_with_run(RunLogLabels(str(run_id))) as run:
        yield run


@contextmanager
def label_log_records_with_run(run: RunLogLabels) -> Iterator[RunLogLabels]:
    """Context manager for a second thread that works for this run: its log records get the same job and run."""
    token = _current.set(run)
    try:
        yield run
    finally:
        _current.reset(token)


def current_run_log_labels() -> RunLogLabels:
    """The run that this thread works for, or that this process is part of. Outside a run: all values are empty."""
    run = _current.get()
    if run is None:
        run = RunLogLabels()
        if os.environ.get(RUN_VARIABLES["run_id"], PLACEHOLDER_RUN_ID) != PLACEHOLDER_RUN_ID:
            run.update(os.environ)
    return run


class RunFilter(logging.Filter):
    """Adds to each record, as text that is empty outside a run: ``chroniker_job`` (name), ``chroniker_job_id``,
    ``chroniker_run`` (id), ``chroniker_token``, and ``chroniker``, for the beginning of a line: “[nightly #12] ”.

    Add it to handlers, not to loggers: records of child loggers pass a handler's filters only. It drops no record.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        run = current_run_log_labels()
        job = to_one_line(run.job)
        record.chroniker_run, record.chroniker_token = run.run, run.token
        record.chroniker_job_id, record.chroniker_job = run.job_id, job
        label = " ".join(filter(None, [job, run.token and f"#{run.token}"])) or run.run
        record.chroniker = f"[{label}] " if label else ""
        return True
