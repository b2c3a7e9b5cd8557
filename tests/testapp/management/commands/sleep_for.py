from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandParser


class Command(BaseCommand):
    help = "Say so, sleep, and say so."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("seconds", type=float)

    def handle(self, *args: Any, seconds: float, **options: Any) -> None:
        self.stdout.write(f"sleeping for {seconds:g} s")
        self.stdout.flush()
        time.sleep(seconds)
        self.stdout.write("slept")
