from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from samples import expectations
from samples.expectations import ObservedRun

HEADINGS = ("job", "status", "seconds", "progress", "lines", "worker", "process")
RIGHT = frozenset({"seconds", "progress", "lines"})
POLL_SECONDS = 0.5


class Command(BaseCommand):
    help = (
        "Prints the runs of the sample jobs, and differences from the expected results. Exit status 0 if each job has "
        "run on a Celery worker with the expected result; else 1."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--wait", type=float, default=0.0, metavar="SECONDS", help="wait for jobs to run")

    def handle(self, *, wait: float, **options: Any) -> None:
        until = time.monotonic() + wait
        while expectations.pending(seen := expectations.observe()) and time.monotonic() < until:
            time.sleep(POLL_SECONDS)
        for line in table(seen):
            self.stdout.write(line)
        found = list(expectations.deviations(seen))
        for deviation in found:
            self.stdout.write(f"WRONG  {deviation}")
        if found:
            raise SystemExit(1)
        self.stdout.write("Every sample job ran on a Celery worker with the expected result.")


def table(seen: dict[str, list[ObservedRun]]) -> Iterator[str]:
    rows = [HEADINGS, *(row(each) for runs in seen.values() for each in runs)]
    widths = [max(len(cells[column]) for cells in rows) for column in range(len(HEADINGS))]
    for number, cells in enumerate(rows):
        yield "  ".join(aligned(cells, widths)).rstrip()
        if number == 0:
            yield "  ".join("-" * width for width in widths)


def row(seen: ObservedRun) -> tuple[str, ...]:
    run = seen.run
    seconds = "" if seen.seconds is None else f"{seen.seconds:.1f}"
    process = f"{run.host}:{run.pid}" if run.pid else ""
    return run.job.name, run.status, seconds, expectations.progress(run), str(seen.lines), seen.worker, process


def aligned(cells: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [
        f"{cell:>{width}}" if heading in RIGHT else f"{cell:<{width}}"
        for heading, cell, width in zip(HEADINGS, cells, widths, strict=True)
    ]
