"""A history of runs with output, and ticks that claim and delete surplus runs while a command deletes the history."""

from __future__ import annotations

import random
import re
import subprocess
from pathlib import Path

import psutil
from django.db import connection

from chroniker.clock.database_clock import NowPlus, database_now
from chroniker.models import Job, JobState, LogChunk, Run
from chroniker.scheduler.tick import tick
from tests.benchmarks.measuring import Row, Stopwatch, figure, load, percentile
from tests.support import many_rows

#: A wait for a lock that takes longer is in the server's log.
NOTICED_MS = 5
#: So many jobs become due before each tick.
DUE = 5
#: So many ticks before the command starts.
ALONE = 20
OUTPUT = "a line of output\n" * 60
_WAITED = re.compile(r"acquired \w+ on .* after ([0-9.]+) ms")


class History:
    """Closed runs, each with a portion of output. A quarter of each job's history is surplus, for claims to delete."""

    def __init__(self, jobs: int, runs_each: int) -> None:
        many_rows.fill(jobs, runs_each)
        Run.objects.update(uncounted_since=None)
        Job.objects.update(maximum_log_entries=max(1, runs_each * 3 // 4))
        table, run = (connection.ops.quote_name(model._meta.db_table) for model in (LogChunk, Run))
        with connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO {table} (run_id, stream, seq, first_line, text, written_at)"
                f" SELECT id, 1, 0, 1, %s, claimed_at FROM {run} WHERE finished_at IS NOT NULL",
                [OUTPUT],
            )
            cursor.execute("VACUUM ANALYZE")
            cursor.execute("SELECT current_database()")
            database = connection.ops.quote_name(cursor.fetchone()[0])
            cursor.execute(f"ALTER DATABASE {database} SET deadlock_timeout = {NOTICED_MS}")
            cursor.execute(f"ALTER DATABASE {database} SET log_lock_waits = on")
        connection.close()  # the next one has these settings
        tick()  # with the periodic work of the fleet
        self.runs = Run.objects.count()

    def row(self, seconds: float) -> Row:
        deleted = self.runs - Run.objects.filter(claimed_at__lt=database_now()).count()
        return {
            "deleted": deleted, "seconds": figure(seconds), "runs_per_second": figure(deleted / seconds),
            **_lock_waits(),
        }  # fmt: skip


class Ticks:
    """One after the other: some alone, then until the command has ended."""

    def __init__(self) -> None:
        self.seconds, self._peak, self._claimed = 0.0, 0, 0
        self._chance = random.Random(1)
        self._jobs = list(JobState.objects.exclude(next_run=None).values_list("pk", flat=True))
        self._alone = [self._tick() for _each in range(ALONE)]
        self._ticks: list[float] = []
        self._processor_seconds = 0.0  #: of the command, without its database server process

    def run(self, command: subprocess.Popen[bytes]) -> None:
        process = psutil.Process(command.pid)
        with Stopwatch() as whole:
            while command.poll() is None:
                self._ticks.append(self._tick())
                try:
                    self._peak = max(self._peak, process.memory_info().rss)
                    self._processor_seconds = sum(process.cpu_times()[:2])
                except psutil.NoSuchProcess:
                    break
        self.seconds = whole.seconds

    def _tick(self) -> float:
        JobState.objects.filter(pk__in=self._chance.sample(self._jobs, DUE)).update(next_run=NowPlus())
        with Stopwatch() as watch:
            self._claimed += len(tick().claimed)
        return watch.seconds

    def row(self) -> Row:
        return {
            "cpu_ms": figure(self._processor_seconds * 1000),
            "peak_mb": figure(self._peak / 1e6), "ticks": len(self._ticks), "claimed": self._claimed,
            "tick_alone_p50_ms": figure(percentile(self._alone, 50) * 1000),
            "tick_p50_ms": figure(percentile(self._ticks, 50) * 1000),
            "slowest_tick_ms": figure(max(self._ticks) * 1000), "load": load(),
        }  # fmt: skip


def _lock_waits() -> Row:
    """From the log of the server, of all its sessions."""
    with connection.cursor() as cursor:
        cursor.execute("SHOW data_directory")
        log = Path(cursor.fetchone()[0]).with_name("server.log").read_text(encoding="utf-8", errors="replace")
    waits = [float(each) for each in _WAITED.findall(log)]
    return {"lock_waits": len(waits), "longest_lock_wait_ms": figure(max(waits, default=0.0))}
