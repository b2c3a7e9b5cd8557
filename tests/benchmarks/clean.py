"""``clean``: ``cron_clean`` of many runs: its time, its memory, and how long a tick takes meanwhile."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator

import psutil

from tests.benchmarks import installation
from tests.benchmarks.measuring import Row, Stopwatch, figure, load, percentile


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--jobs", type=int, default=1_000)
    parser.add_argument("--runs-each", type=int, default=50, help="runs of each job (default: 50)")


def rows(options: argparse.Namespace) -> Iterator[Row]:
    with installation.running("postgres", executor="dummy"):
        from chroniker.models import Run
        from chroniker.scheduler.tick import tick
        from tests.support import many_rows

        many_rows.fill(options.jobs, options.runs_each)
        Run.objects.update(uncounted_since=None)
        before = Run.objects.count()
        command = subprocess.Popen(
            [sys.executable, "-m", "django", "cron_clean", "minutes", "0", "--verbosity=0"],
            env=installation.process_environ(),
        )
        peak, ticks, process = 0, [], psutil.Process(command.pid)
        with Stopwatch() as whole:
            while command.poll() is None:
                with Stopwatch() as watch:
                    tick()
                ticks.append(watch.seconds)
                try:
                    peak = max(peak, process.memory_info().rss)
                except psutil.NoSuchProcess:
                    break
            command.wait()
        deleted = before - Run.objects.count()
        yield {
            "benchmark": "clean", "runs": before, "deleted": deleted, "seconds": figure(whole.seconds),
            "runs_per_second": figure(deleted / whole.seconds), "peak_mb": figure(peak / 1e6),
            "slowest_tick_ms": figure(max(ticks) * 1000), "tick_p50_ms": figure(percentile(ticks, 50) * 1000),
            "load": load(),
        }  # fmt: skip
