"""``run``: a command that does nothing through the whole system on a warm worker, alone and many at once."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.benchmarks import installation
from tests.benchmarks.measuring import Row


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--runs", type=int, default=100, help="so many one after the other")
    parser.add_argument("--due", type=int, default=200, help="so many at once")
    parser.add_argument("--concurrency", type=int, default=2, help="of the worker")
    parser.add_argument("--pool", choices=("prefork", "threads", "solo"), default="prefork")
    parser.add_argument("--database", choices=installation.DATABASES, default="postgres")


def rows(options: argparse.Namespace) -> Iterator[Row]:
    """One row for runs one after the other, one for many at once."""
    with (
        installation.running(options.database, executor="celery") as broker,
        tempfile.TemporaryDirectory(prefix="chroniker-benchmark-") as directory,
    ):
        # Django is set up by now.
        from tests.benchmarks.run_passes import at_once, one_by_one
        from tests.support.celery_processes import CeleryWorker

        worker = CeleryWorker(
            installation.process_environ(),
            Path(directory),
            pool=options.pool,
            concurrency=options.concurrency,
            options=["--include", "tests.benchmarks.run_floor"],
        )
        head = {"benchmark": "run", "database": options.database, "pool": options.pool}
        head["concurrency"] = options.concurrency
        with worker:
            yield {**head, **one_by_one(worker, broker.url, options.runs)}
            yield {**head, **at_once(worker, options.due)}
