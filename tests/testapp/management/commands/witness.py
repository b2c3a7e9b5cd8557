from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from tests.testapp.witnessing import witnessed


class Command(BaseCommand):
    help = "Write into the witness file when it begins and when it ends."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", type=Path)
        parser.add_argument("job", help="the name under which instances are compared")
        parser.add_argument("--seconds", type=float, default=0.0)

    def handle(self, *args: Any, path: Path, job: str, seconds: float, **options: Any) -> None:
        with witnessed(path, job):
            time.sleep(seconds)
