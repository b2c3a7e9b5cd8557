"""``clean``: ``cron_clean`` of many runs with output, while ticks claim: time, memory, longest wait for a lock."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator

from tests.benchmarks import installation
from tests.benchmarks.measuring import Row


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--jobs", type=int, default=1_000)
    parser.add_argument("--runs-each", type=int, default=50, help="runs of each job (default: 50)")


def rows(options: argparse.Namespace) -> Iterator[Row]:
    with installation.running("postgres", executor="dummy"):
        # Django is set up by now.
        from tests.benchmarks.clean_passes import History, Ticks

        history = History(options.jobs, options.runs_each)
        ticks = Ticks()
        command = subprocess.Popen(
            [sys.executable, "-m", "django", "cron_clean", "minutes", "0", "--verbosity=0"],
            env=installation.process_environ(),
        )
        ticks.run(command)
        if command.wait():
            raise SystemExit("cron_clean failed")
        yield {"benchmark": "clean", "runs": history.runs, **history.row(ticks.seconds), **ticks.row()}
