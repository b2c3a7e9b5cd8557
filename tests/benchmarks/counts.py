"""``counts``: statements, connections and flushes of ticks and runs. No times, so a busy machine gives the same."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

import redis

from tests.benchmarks import installation
from tests.benchmarks.measuring import Row, counted_statements

#: Jobs and due jobs of the ticks.
JOBS, DUE = 40, (0, 3)
#: Runs at once: some to warm the worker up, then those that are counted.
WARM_UP, COUNTED = 8, 24


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--database", choices=installation.DATABASES, default="postgres")


def rows(options: argparse.Namespace) -> Iterator[Row]:
    """One row for each count: of a tick, and where the server counts (PostgreSQL), of a run with its claim."""
    with (
        installation.running(options.database, executor="celery") as broker,
        tempfile.TemporaryDirectory(prefix="chroniker-benchmark-") as directory,
    ):
        # Django is set up by now.
        from tests.benchmarks.population import populate

        head = {"benchmark": "counts", "database": options.database}
        populate(JOBS)
        for due in DUE:
            yield {**head, "figure": f"statements of a tick, {due} due", "count": _statements(due)}
        redis.Redis.from_url(broker.url).flushdb()
        if options.database == "postgres":
            for figure, count in _of_a_run(Path(directory)).items():
                yield {**head, "figure": figure, "count": count}


def _statements(due: int) -> int:
    """Of a later tick: the first ones have also the periodic work of the fleet, and prepare statements."""
    from chroniker.models.prepared import USES_BEFORE_PREPARE
    from chroniker.scheduler.tick import tick
    from tests.benchmarks.population import Stage

    stage, statements = Stage(JOBS, due), 0
    for _each in range(USES_BEFORE_PREPARE + 1):
        stage.set()
        with counted_statements() as count:
            tick()
            statements = count()
    stage.clear()
    return statements


def _of_a_run(directory: Path) -> Row:
    from tests.benchmarks.run_passes import at_once
    from tests.support.celery_processes import CeleryWorker

    with CeleryWorker(installation.process_environ(), directory, pool="prefork", concurrency=2) as worker:
        at_once(worker, WARM_UP)
        row = at_once(worker, COUNTED)
    kinds = ("statements", "connections", "fsyncs")
    return {f"{kind} of a run": row[f"{kind}_per_run"] for kind in kinds if f"{kind}_per_run" in row}
