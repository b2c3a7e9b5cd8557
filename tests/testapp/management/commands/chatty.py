from __future__ import annotations

import sys
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandParser


class Command(BaseCommand):
    help = "Write numbered lines to stdout, and every tenth to stderr too."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--lines", type=int, default=100)
        parser.add_argument("--every", type=float, default=0.0, help="seconds between two lines")
        parser.add_argument("--no-stderr", action="store_true")

    def handle(self, *args: Any, lines: int, every: float, no_stderr: bool, **options: Any) -> None:
        for number in range(1, lines + 1):
            print(f"line {number} of {lines}", flush=bool(every))
            if number % 10 == 0 and not no_stderr:
                print(f"{number} lines so far", file=sys.stderr, flush=True)
            time.sleep(every)
