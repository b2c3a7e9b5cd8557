from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from chroniker.insights.metrics import scrape
from chroniker.management.console import SYSTEM_CHECK_TAGS, explain_database_errors
from chroniker.management.terminal import ConsoleCommand


class Command(ConsoleCommand):
    help = (
        "Prints the metrics of jobs, runs and the scheduler in the text format of Prometheus, as the address …/metrics "
        "does. With --output it replaces this file in one step, for the textfile collector of node_exporter."
    )
    requires_system_checks = SYSTEM_CHECK_TAGS

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--output", type=Path, metavar="FILE", help="write to this file, such as chroniker.prom")

    def handle(self, *, output: Path | None, **options: Any) -> None:
        scrape.clear_cached_metrics()
        with explain_database_errors():
            text = scrape.metrics_text()
        if output is None:
            self.stdout.write(text)
            return
        try:
            write_file_atomically(output, text)
        except OSError as error:
            raise CommandError(f"{output} cannot be written: {error.strerror or error}") from error


def write_file_atomically(path: Path, text: str) -> None:
    """Write a new file in the same directory, then rename it: a reader finds the old text or the new text."""
    handle, name = tempfile.mkstemp(dir=path.absolute().parent, prefix=f".{path.name}.", suffix=".new")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).chmod(0o644)  # nosec B103  # the collector is another user
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
