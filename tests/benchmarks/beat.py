"""``beat``: from a scheduled time to the start under beat, alone and ten at once; and how soon an edit is noticed."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks import installation
from tests.benchmarks.measuring import Row


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--jobs", type=int, default=100_000, help="how many there are besides")
    parser.add_argument("--rounds", type=int, default=10, help="measurements for each row")
    parser.add_argument("--database", choices=installation.DATABASES, default="postgres")


def rows(options: argparse.Namespace) -> Iterator[Row]:
    """One row for jobs alone, one for ten at once on two slots, one for edits, one for the idle worker's memory."""
    with (
        installation.running(options.database, executor="celery"),
        tempfile.TemporaryDirectory(prefix="chroniker-benchmark-") as directory,
    ):
        # Django is set up by now.
        from tests.benchmarks.beat_passes import edits, memory, starts
        from tests.benchmarks.population import populate
        from tests.support.celery_processes import CeleryBeat, CeleryWorker

        populate(options.jobs)
        head = {"benchmark": "beat", "database": options.database, "jobs": options.jobs}
        environ = installation.process_environ()
        with (
            CeleryBeat(environ, Path(directory)),
            CeleryWorker(environ, Path(directory), pool="prefork", concurrency=2) as worker,
        ):
            yield {**head, **starts(options.rounds, at_once=1)}
            yield {**head, **starts(max(1, options.rounds // 5), at_once=10)}
            yield {**head, **edits(options.rounds)}
            yield {**head, **memory(worker)}
