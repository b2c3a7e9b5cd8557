from __future__ import annotations

import csv
import gzip
import sys
import zipfile
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

kept: list[object] = []


class WritesAtItsEnd:
    """Writes to a file that is still open, when it is finalized."""

    def __init__(self, path: Path) -> None:
        self.file = path.open("w")

    def __del__(self) -> None:
        self.file.write("finalized")


class Broken:
    def __del__(self) -> None:
        raise RuntimeError("this finalizer is broken")


class Command(BaseCommand):
    help = "Leave files open in a global, without flushing any."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("directory", type=Path)

    def handle(self, *args: Any, directory: Path, **options: Any) -> None:
        rows = (directory / "rows.csv").open("w", newline="")
        csv.writer(rows).writerow(["a", "b"])
        packed = gzip.open(directory / "packed.gz", "wt")  # noqa: SIM115 - left open on purpose
        packed.write("packed")
        archive = zipfile.ZipFile(directory / "archive.zip", "w")
        archive.writestr("member", "archived")
        detached = (directory / "detached").open("w")
        detached.detach().close()
        kept[:] = [rows, packed, archive, WritesAtItsEnd(directory / "finalized"), detached, Broken()]
        if startup_file := getattr(sys, "file_of_startup", None):
            startup_file.write("by the command\n")
