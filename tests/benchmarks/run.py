"""``run``: a command that does nothing through the whole system on a warm worker, alone and many at once.

Also a command with much output, and many runs at the same time that only wait.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from tests.benchmarks import installation
from tests.benchmarks.measuring import Row
from tests.support.servers import PgBouncerServer


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--runs", type=int, default=100, help="so many one after the other")
    parser.add_argument("--due", type=int, default=200, help="so many at once")
    parser.add_argument("--megabytes", type=int, default=100, help="of one run's output; 0: no such row")
    parser.add_argument("--asleep", type=int, default=200, help="runs at the same time that wait; 0: no such row")
    parser.add_argument("--concurrency", type=int, default=2, help="of the worker")
    parser.add_argument("--pool", choices=("prefork", "threads", "solo"), default="prefork")
    parser.add_argument("--database", choices=installation.DATABASES, default="postgres")
    parser.add_argument("--bouncer", action="store_true", help="PgBouncer stands between worker and PostgreSQL")


def rows(options: argparse.Namespace) -> Iterator[Row]:
    """One row for runs one after the other, one for many at once, one for much output, one for runs that wait."""
    with ExitStack() as stack:
        broker = stack.enter_context(installation.running(options.database, executor="celery"))
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="chroniker-benchmark-"))
        # Django is set up by now.
        from tests.benchmarks.run_load import much_output, sleeping
        from tests.benchmarks.run_passes import at_once, one_by_one
        from tests.support.celery_processes import CeleryWorker

        environ = installation.process_environ()
        if options.bouncer:
            bouncer = stack.enter_context(PgBouncerServer(int(environ["CHRONIKER_TEST_DB_PORT"])))
            environ["CHRONIKER_TEST_DB_PORT"] = str(bouncer.port)
        worker = CeleryWorker(
            environ,
            Path(directory),
            pool=options.pool,
            concurrency=options.concurrency,
            options=["--include", "tests.benchmarks.run_floor"],
        )
        head = {"benchmark": "run", "database": options.database, "pool": options.pool}
        head["bouncer"] = options.bouncer
        head["concurrency"] = options.concurrency
        with worker:
            yield {**head, **one_by_one(worker, broker.url, options.runs)}
            yield {**head, **at_once(worker, options.due)}
            if options.megabytes:
                yield {**head, **much_output(worker, options.megabytes)}
        if options.asleep:
            head |= {"pool": "threads", "concurrency": options.asleep}
            with CeleryWorker(environ, Path(directory), pool="threads", concurrency=options.asleep) as worker:
                yield {**head, **sleeping(worker, options.asleep)}
