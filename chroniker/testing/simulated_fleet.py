"""A fleet of simulated workers: each run starts when it is dispatched, and ends when the test says, with its status."""

from __future__ import annotations

import datetime as dt
import heapq
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.executors import Executor
from chroniker.models import Run, Status
from chroniker.reasons import NO_REASON, Code, Reason

NO_DURATION = dt.timedelta()
#: Statuses that a simulated run may end with.
END_STATUSES = frozenset({Status.SUCCEEDED, Status.FAILED, Status.TIMED_OUT, Status.LOST})


@dataclass(slots=True)
class SimulatedRunEnds:
    """How the next runs of a job end: the statuses one after the other, the last one again and again."""

    statuses: Sequence[Status] = (Status.SUCCEEDED,)
    after: dt.timedelta = NO_DURATION
    used: int = 0

    def take_next_status(self) -> Status:
        status = self.statuses[min(self.used, len(self.statuses) - 1)]
        self.used += 1
        return status


@dataclass(order=True, slots=True)
class _OpenRun:
    ends_at: dt.datetime
    number: int
    run: Run = field(compare=False)
    nonce: UUID = field(compare=False)
    status: Status = field(compare=False)


class SimulatedFleet:
    """All simulated workers. The scripts are by name of the job."""

    def __init__(self) -> None:
        self.scripts: dict[str, SimulatedRunEnds] = {}
        self._open: list[_OpenRun] = []
        self._started = 0

    @property
    def next_end_time(self) -> dt.datetime | None:
        return self._open[0].ends_at if self._open else None

    def start(self, run: Run) -> None:
        """Start a dispatched run, as a worker does. A refused start is recorded as an event."""
        nonce, host = uuid4(), run.required_host or "simulated"
        if lifecycle.start(run.pk, run.token, nonce, host=host, pid=1, worker=f"worker@{host}") is None:
            return
        script = self.scripts.get(run.job.name) or SimulatedRunEnds()
        status, lasts = script.take_next_status(), script.after
        if run.job.timeout_seconds and lasts > (limit := dt.timedelta(seconds=run.job.timeout_seconds)):
            status, lasts = Status.TIMED_OUT, limit
        self._started += 1
        heapq.heappush(self._open, _OpenRun(database_now() + lasts, self._started, run, nonce, status))

    def stop(self, run_id: UUID) -> None:
        """Let this run end now, as stopped."""
        for each in self._open:
            if each.run.pk == run_id:
                each.ends_at, each.status = database_now(), Status.STOPPED
        heapq.heapify(self._open)

    def finish_next_run(self) -> int:
        """End the run whose time has come first; returns the id of its job."""
        ended = heapq.heappop(self._open)
        lifecycle.finish(ended.run.pk, ended.run.token, ended.nonce, _make_outcome(ended))
        return ended.run.job_id


def _make_outcome(ended: _OpenRun) -> lifecycle.Outcome:
    """The outcome as a supervisor would report it."""
    match ended.status:
        case Status.SUCCEEDED:
            return lifecycle.Outcome(ended.status, exit_code=0)
        case Status.FAILED:
            return lifecycle.Outcome(ended.status, exit_code=1, reason=Reason.of(Code.EXIT, status=1))
        case Status.TIMED_OUT:
            seconds = ended.run.job.timeout_seconds or 0
            return lifecycle.Outcome(ended.status, reason=Reason.of(Code.TIMEOUT, seconds=seconds))
    return lifecycle.Outcome(ended.status, reason=NO_REASON)


class SimulatedExecutor(Executor):
    """Every executor of the project, while a schedule is played."""

    supports_queues = True
    supports_priority = True

    def __init__(self, alias: str, options: Mapping[str, Any]) -> None:
        super().__init__(alias, options)
        self._fleet: SimulatedFleet = options["fleet"]

    def dispatch(self, runs: Sequence[Run]) -> Collection[UUID]:
        for run in runs:
            self._fleet.start(run)
        return [run.pk for run in runs]

    def request_stop(self, run_id: UUID) -> None:
        self._fleet.stop(run_id)
