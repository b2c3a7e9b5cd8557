"""``tick``: the cost of one tick for a number of jobs and of due jobs, beside its floor."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from tests.benchmarks import installation
from tests.benchmarks.measuring import Row


def numbers(text: str) -> list[int]:
    return [int(word) for word in text.split(",")]


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--jobs", type=int, default=100_000, help="how many there are")
    parser.add_argument("--due", type=numbers, default=[0, 10, 100, 1_000], help="how many of them are due")
    parser.add_argument("--history", type=int, default=0, help="closed runs in the database")
    parser.add_argument("--database", choices=installation.DATABASES, default="postgres")
    parser.add_argument("--executor", choices=installation.EXECUTORS, default="celery", help="celery: on Redis")
    parser.add_argument("--repeat", type=int, default=7, help="measured passes for each row, after one to warm up")


def rows(options: argparse.Namespace) -> Iterator[Row]:
    """One row for each number of due jobs."""
    with installation.running(options.database, executor=options.executor) as broker:
        # Django is set up by now.
        from tests.benchmarks.population import populate
        from tests.benchmarks.tick_passes import Passes

        populate(options.jobs, options.history)
        for due in options.due:
            yield {
                "benchmark": "tick",
                "database": options.database,
                "executor": options.executor,
                "jobs": options.jobs,
                "due": due,
                "history": options.history,
                **Passes(broker.url, options.jobs, due, options.history).row(options.repeat),
            }
