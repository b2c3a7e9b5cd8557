"""What a worker needs for much output, and for many runs at the same time that only wait."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil

from chroniker import lifecycle
from chroniker.clock.database_clock import database_now
from chroniker.models import Job, Run, Status
from chroniker.scheduler.manual_runs import run_now
from tests.benchmarks.measuring import Row, figure, load
from tests.benchmarks.processor_time import processor_time
from tests.benchmarks.run_passes import finished
from tests.support.celery_processes import CeleryWorker
from tests.support.processes import wait_until

NEVER = "0 0 1 1 *"
#: Longer than the benchmark.
SLEEP_SECONDS = 3600


def much_output(worker: CeleryWorker, megabytes: int) -> Row:
    """From the start of a command that prints so much to the end of its run; the second run counts."""
    job = Job.objects.create(
        name="much output", command="spew", args=f"--lines --megabytes {megabytes}", cron=NEVER, log_max_bytes=None
    )
    lifecycle.book_next_instants([job.pk], database_now())
    processes = worker.pool_processes() or [psutil.Process(worker.pid)]
    finished(worker, [run_now(job, "benchmark")])
    before = max(_memory(each.pid, "VmRSS") for each in processes)
    for process in processes:
        Path(f"/proc/{process.pid}/clear_refs").write_text("5")  # the peak is counted from now on
    earlier = processor_time(worker)
    [(_claimed, started, ended)] = finished(worker, [run_now(job, "benchmark")])
    cpu = {group: seconds - earlier[group] for group, seconds in processor_time(worker).items()}
    return {
        "runs": f"{megabytes} MB of output",
        "seconds": figure(ended - started),
        "mb_per_second": figure(megabytes / (ended - started)),
        "cpu_seconds": figure(sum(cpu.values())),
        **{f"{group}_cpu_s": figure(seconds) for group, seconds in cpu.items()},
        "pool_mb": figure(before),
        "pool_peak_mb": figure(max(_memory(each.pid, "VmHWM") for each in processes)),
        "load": load(),
    }


def sleeping(worker: CeleryWorker, count: int) -> Row:
    """Proportional memory of so many runs at the same time, without and with that of their commands."""
    jobs = [
        Job(name=f"sleeping {number}", command="sleep_for", args=str(SLEEP_SECONDS), cron=NEVER)
        for number in range(count)
    ]
    Job.objects.bulk_create(jobs)
    lifecycle.book_next_instants([job.pk for job in jobs], database_now())
    before = _by_name(worker)
    for job in jobs:
        run_now(job, "benchmark")
    running = Run.objects.filter(job__in=jobs, status=Status.RUNNING)
    wait_until(lambda: running.filter(chunks__isnull=False).count() == count, seconds=600, what="all runs sleep")
    after = _by_name(worker)
    commands = after.pop("chroniker-run")
    return {
        "runs": f"{count} asleep",
        "keeper_mb": figure(after["chroniker-keep"] / count),
        "worker_mb": figure((after["worker"] - before["worker"]) / count),
        "beyond_command_mb": figure((sum(after.values()) - sum(before.values())) / count),
        "command_mb": figure(commands / count),
        "load": load(),
    }


def _memory(pid: int, name: str) -> float:
    """A line of the process's status, in megabytes."""
    [line] = [each for each in Path(f"/proc/{pid}/status").read_text().splitlines() if each.startswith(f"{name}:")]
    return int(line.split()[1]) * 1024 / 1e6


def _by_name(worker: CeleryWorker) -> dict[str, float]:
    """Proportional memory in megabytes, by the names of chroniker's processes; all others are the worker."""
    found: dict[str, float] = {"worker": 0.0}
    processes: Iterable[psutil.Process] = [psutil.Process(worker.pid), *worker.children()]
    for process in processes:
        with suppress(psutil.NoSuchProcess):  # it has just ended
            name = process.name() if process.name().startswith("chroniker-") else "worker"
            found[name] = found.get(name, 0.0) + process.memory_full_info().pss / 1e6
    return found
