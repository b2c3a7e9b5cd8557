from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from chroniker.models import Job


class Command(BaseCommand):
    help = "Report progress, part by part."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--parts", type=int, default=77)
        parser.add_argument("--upto", type=int, help="stop after this many parts")
        parser.add_argument("--every", type=float, default=0.0, help="seconds per part")

    def handle(self, *args: Any, parts: int, upto: int | None, every: float, **options: Any) -> None:
        for part in range(1, (parts if upto is None else upto) + 1):
            time.sleep(every)
            Job.update_progress(total_parts=parts, total_parts_complete=part)
        print("done", flush=True)
