"""Runs through a real worker, one after the other and many at once, timed by the database clock."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.models import OPEN_STATUSES, Job, LogChunk, Run, Status
from chroniker.scheduler.manual_runs import run_now
from chroniker.scheduler.tick import tick
from tests.benchmarks import run_floor
from tests.benchmarks.measuring import Row, Stopwatch, figure, load, milliseconds, percentile
from tests.benchmarks.population import Stage, populate
from tests.benchmarks.processor_time import processor_time
from tests.benchmarks.server_counts import ServerCounts
from tests.support.celery_processes import CeleryWorker
from tests.support.processes import wait_until

WARM_UP = 8
STAGES = ("claimed", "started", "finished")


def one_by_one(worker: CeleryWorker, broker_url: str, runs: int) -> Row:
    """From claim to finish, each run alone; before each run its floor is measured."""
    job = Job.objects.create(name="alone", command="noop", cron="0 0 1 1 *")
    lifecycle.book_next_instants([job.pk], database_now())
    for _each in range(WARM_UP):
        finished(worker, [run_now(job, "benchmark")])
        _floor(broker_url, job)
    floors, times = [], []
    for _each in range(runs):
        floors.append(_floor(broker_url, job))
        times += finished(worker, [run_now(job, "benchmark")])
    return {"runs": "one by one", **_row(times), **_floor_row(floors, times), "load": load()}


def at_once(worker: CeleryWorker, due: int) -> Row:
    """``due`` jobs become due at the same time; one tick claims them all."""
    Job.objects.all().delete()
    populate(due * 2)
    Stage(due * 2, due).set()
    counts, before = ServerCounts(), processor_time(worker)
    times = finished(worker, tick().claimed)
    cpu = {group: seconds - before[group] for group, seconds in processor_time(worker).items()}
    wall = max(each[-1] for each in times) - min(each[0] for each in times)
    return {
        "runs": "at once",
        **_row(times),
        "runs_per_second": figure(len(times) / wall),
        "cpu_ms_per_run": figure(sum(cpu.values()) / len(times) * 1000),
        **{f"{group}_cpu_ms": figure(seconds / len(times) * 1000) for group, seconds in cpu.items()},
        **counts.per_run(len(times)),
        "load": load(),
    }


def finished(worker: CeleryWorker, runs: Sequence[Run]) -> list[tuple[float, ...]]:
    """Wait for the end of these runs. Returns the time of each stage of each run."""
    mine = Run.objects.filter(pk__in=[run.pk for run in runs])
    wait_until(lambda: not mine.filter(status__in=OPEN_STATUSES).exists(), seconds=120, what="all runs finished")
    for run in mine.exclude(status=Status.SUCCEEDED):
        output = "".join(LogChunk.objects.filter(run=run).order_by("stream", "seq").values_list("text", flat=True))
        raise AssertionError(f"a run ended as {run.status}: {run.reason}\n{output}\n{worker.log[-4000:]}")
    return [tuple(getattr(run, f"{stage}_at").timestamp() for stage in STAGES) for run in mine]


def _row(times: Sequence[tuple[float, ...]]) -> Row:
    spans = [each[-1] - each[0] for each in times]
    parts = {
        f"{before}_to_{after}_ms": milliseconds([each[n + 1] - each[n] for each in times])
        for n, (before, after) in enumerate(pairwise(STAGES))
    }
    return {
        "count": len(times),
        "p50_ms": figure(percentile(spans, 50) * 1000),
        "p99_ms": figure(percentile(spans, 99) * 1000),
        **parts,
    }


def _floor(broker_url: str, job: Job) -> Stopwatch:
    with Stopwatch() as watch:
        run_floor.round_trip(broker_url)
        watch.lap("celery")
        run_floor.fork()
        watch.lap("fork")
        for _each in range(run_floor.COMMITS):
            run_floor.commit(job.pk)
        watch.lap("commits")
    return watch


def _floor_row(floors: Sequence[Stopwatch], times: Sequence[tuple[float, ...]]) -> Row:
    parts = {f"floor_{part}_ms": milliseconds([each.laps[part] for each in floors]) for part in floors[0].laps}
    least = milliseconds([each.seconds for each in floors])
    spans = milliseconds([each[-1] - each[0] for each in times])
    return {"ratio": figure(spans / least), "floor_ms": least, **parts}
