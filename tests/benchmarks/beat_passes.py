"""What the benchmark ``beat`` measures, on a running beat and worker, by the database's clock."""

from __future__ import annotations

import datetime as dt
import random
import time
from contextlib import suppress

import psutil

from chroniker.clock.database_clock import database_now
from chroniker.models import OPEN_STATUSES, Job, Run
from chroniker.schedule import Frequency
from tests.benchmarks.measuring import Row, Stopwatch, figure, load, percentile
from tests.support.celery_processes import CeleryWorker
from tests.support.processes import wait_until

#: Between the creation of a job and its scheduled time: beat has booked it by then.
AHEAD = dt.timedelta(seconds=3)


def starts(rounds: int, *, at_once: int) -> Row:
    """From the scheduled time to the start of the command; one round to warm up."""
    delays: list[float] = []
    for number in range(rounds + 1):
        moment = (database_now() + AHEAD).replace(microsecond=0)
        jobs = [
            Job.objects.create(
                name=f"{at_once} at once, {number}-{each}",
                command="noop",
                frequency=Frequency.ONCE,
                run_at=moment,
                timezone="UTC",
            )
            for each in range(at_once)
        ]
        runs = Run.objects.filter(job__in=jobs)
        wait_until(
            lambda: runs.exclude(status__in=OPEN_STATUSES).count() == at_once,  # noqa: B023  called within the round
            seconds=60,
            what="all runs ended",
        )
        if number:
            delays += [(run.started_at - moment).total_seconds() for run in runs if run.started_at is not None]
    return {"figure": f"start, {at_once} at once", "count": len(delays), **_percentiles(delays), "load": load()}


def edits(rounds: int) -> Row:
    """How long ``save`` of one job takes, and how long after it beat has booked the edit.

    Each edit is at a random moment between two passes of beat, not directly after the one that booked the last edit.
    """
    saved, noticed, chance = [], [], random.Random(1)
    for number in range(rounds):
        time.sleep(chance.random())
        job = Job.objects.get(pk=1 + number * 7)
        job.cron = f"{number % 60} 3 1 1 *"
        with Stopwatch() as watch:
            job.save()
        saved.append(watch.seconds)
        with Stopwatch() as watch:
            wait_until(lambda: _is_booked(job.pk), seconds=30, what="the edit is booked")  # noqa: B023
        noticed.append(watch.seconds)
    return {
        "figure": "edit noticed",
        "count": rounds,
        **_percentiles(noticed),
        "save_p50_ms": figure(percentile(saved, 50) * 1000),
        "load": load(),
    }


def _is_booked(job_id: int) -> bool:
    return Job.objects.filter(pk=job_id, edited_at=None).exists()


def _percentiles(seconds: list[float]) -> Row:
    return {f"p{each}_ms": figure(percentile(seconds, each) * 1000) for each in (50, 99)}


def memory(worker: CeleryWorker) -> Row:
    """Proportional memory of the idle worker, and of what chroniker adds to Celery: the fork server and below it.

    A worker is idle when the keepers of its last runs have ended, which wait some seconds for another run.
    """
    wait_until(lambda: not _named(worker, "chroniker-keep"), seconds=60, what="the keepers ended")
    processes = [psutil.Process(worker.pid), *worker.children()]
    ours = _named(worker, "chroniker-")
    return {
        "figure": "idle worker's memory",
        "worker_mb": _megabytes(processes),
        "added_processes_mb": _megabytes(ours),
        "processes": len(processes),
        "load": load(),
    }


def _named(worker: CeleryWorker, start: str) -> list[psutil.Process]:
    found = []
    for each in worker.children():
        with suppress(psutil.NoSuchProcess):  # it has just ended
            found += [each] if each.name().startswith(start) else []
    return found


def _megabytes(processes: list[psutil.Process]) -> float:
    return figure(sum(each.memory_full_info().pss for each in processes) / 1e6)
