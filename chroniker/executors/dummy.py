"""Records the runs it gets, and executes none. For tests of the steps before a dispatch."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from chroniker.executors.base import Executor
from chroniker.models import Job, Run


class DummyExecutor(Executor):
    def __init__(self, alias: str, options: Mapping[str, Any]) -> None:
        super().__init__(alias, options)
        self.dispatched: list[Run] = []
        self.stops: list[UUID] = []

    def dispatch(self, runs: Sequence[Run]) -> Collection[UUID]:
        self.dispatched.extend(runs)
        return [run.pk for run in runs]

    def queue_for(self, job: Job) -> str | None:
        return job.queue

    def request_stop(self, run_id: UUID) -> None:
        self.stops.append(run_id)
