from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from chroniker.models import Job


class Command(BaseCommand):
    help = "Imports a catalogue slowly, part by part, and reports its progress."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--parts", type=int, default=77)
        parser.add_argument("--seconds", type=float, default=60.0, help="total duration")

    def handle(self, *, parts: int, seconds: float, **options: Any) -> None:
        for done in range(parts + 1):
            Job.update_progress(total_parts=parts, total_parts_complete=done)
            if done % 11 == 0:
                self.stdout.write(f"{done} of {parts} products imported")
            if done < parts:
                time.sleep(seconds / parts)
