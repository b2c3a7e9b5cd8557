"""``output``: how long the server takes for the output of a run, at its end, its beginning, and within it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from tests.benchmarks import installation
from tests.benchmarks.measuring import Row


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--megabytes", type=int, default=100, help="how much the run wrote")
    parser.add_argument("--database", choices=installation.DATABASES, default="postgres")
    parser.add_argument("--repeat", type=int, default=5, help="measured requests for each row, after one to warm up")


def rows(options: argparse.Namespace) -> Iterator[Row]:
    """One row for each request of the viewer."""
    with installation.running(options.database, executor="dummy"):
        # Django is set up by now.
        from tests.benchmarks.output_requests import measured

        for row in measured(options.megabytes, options.repeat):
            yield {"benchmark": "output", "database": options.database, **row}
