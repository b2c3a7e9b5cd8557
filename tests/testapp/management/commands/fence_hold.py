from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

import chroniker
from tests.testapp.witnessing import witnessed


class Command(BaseCommand):
    help = "Hold the fence for a while; the witness file shows from when to when."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", type=Path)
        parser.add_argument("job")
        parser.add_argument("--before", type=float, default=0.0, help="seconds before it asks for the fence")
        parser.add_argument("--seconds", type=float, default=1.0, help="seconds inside")

    def handle(self, *args: Any, path: Path, job: str, before: float, seconds: float, **options: Any) -> None:
        time.sleep(before)
        with chroniker.fence(), witnessed(path, job):
            time.sleep(seconds)
