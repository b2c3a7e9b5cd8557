from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tests.testapp.witnessing import begun, witnessed


class Command(BaseCommand):
    help = "Wait until so many instances have begun; the exit status says whether they did."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", type=Path)
        parser.add_argument("count", type=int)

    def handle(self, *args: Any, path: Path, count: int, **options: Any) -> None:
        until = time.monotonic() + 60
        with witnessed(path, "meet"):
            while len(begun(path)) < count:
                if time.monotonic() > until:
                    raise CommandError("Nobody else came.")
                time.sleep(0.05)
