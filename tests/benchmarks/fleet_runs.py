"""The reports of runs that do nothing: start, one portion of output, end. Their processes are left out."""

from __future__ import annotations

import datetime as dt
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from uuid import UUID

from django.db.backends.base.base import BaseDatabaseWrapper

from chroniker.executors.database_report import DatabaseReport
from chroniker.models import Run, Status, Stream
from chroniker.process.run_spec import RunOutcome
from chroniker.scheduler.tick import tick
from chroniker.worker.output import Chunk
from tests.benchmarks.fleet_sessions import PlayedBy, Players, ServerWork, used
from tests.benchmarks.measuring import Row, figure, load
from tests.benchmarks.population import Stage

Claimed = tuple[UUID, int]
OUTPUT = "one line of output\n"


def reports(jobs: int, runs: int, by: PlayedBy) -> Row:
    """``runs`` due jobs are claimed by one tick; then their starts, output and ends are reported."""
    Stage(jobs, runs).set()
    claimed: list[Claimed] = [(run.pk, run.token) for run in tick().claimed]
    parts = [claimed[n :: by.processes] for n in range(by.processes)]
    with Players(partial(_report, threads=by.threads), parts, by.threads, by.port) as players:
        server, before = ServerWork(by.settle), time.monotonic()
        used_by_clients: list[float] = players.play()
        seconds = time.monotonic() - before
        row = server.per("run", len(claimed))
    succeeded = Run.objects.filter(status=Status.SUCCEEDED).count()
    if not succeeded == len(claimed) == runs:
        raise AssertionError(f"{len(claimed)} of {runs} jobs were claimed, and {succeeded} runs succeeded")
    return {
        "figure": "start, output, end",
        "runs": len(claimed),
        "runs_per_second": figure(len(claimed) / seconds),
        **row,
        "client_ms_per_run": figure(sum(used_by_clients) / len(claimed) * 1000),
        "load": load(),
    }


def _report(claimed: Sequence[Claimed], sessions: Sequence[BaseDatabaseWrapper], *, threads: int) -> float:
    """Returns the processor time that this process needed."""
    at, before = dt.datetime.now(dt.UTC), time.process_time()

    def work(number: int) -> None:
        with used(sessions[number]):
            for run_id, token in claimed[number::threads]:
                _report_one(DatabaseReport(run_id, token), at)

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(threads)))
    return time.process_time() - before


def _report_one(report: DatabaseReport, at: dt.datetime) -> None:
    if report.start(os.getpid()) is None:
        raise AssertionError(f"run {report.run_id} was refused")
    report.store_output([Chunk(Stream.STDOUT, 0, OUTPUT, at)])
    report.finish(RunOutcome("exited", exit_code=0))
