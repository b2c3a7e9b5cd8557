"""The base of the shop's commands: work in parts, with progress and output, and sometimes an error."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from typing import Any, ClassVar

from django.core.management.base import BaseCommand, CommandParser

from chroniker.models import Job


class ShopError(Exception):
    """The simulated work failed."""


class ShopCommand(BaseCommand):
    """``STEPS`` are the lines that it prints; ``%d`` is the number of the part."""

    STEPS: ClassVar[Sequence[str]] = ("part %d done",)
    ERROR: ClassVar[str] = "It failed."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("subject", nargs="?", default="", help="what it works on")
        parser.add_argument("--seconds", type=float, default=4.0, help="total duration, about")
        parser.add_argument("--parts", type=int, default=20)
        parser.add_argument("--fail", type=float, default=0.0, metavar="SHARE", help="how often it fails, from 0 to 1")

    def handle(self, *, subject: str, seconds: float, parts: int, fail: float, **options: Any) -> None:
        fails_at = random.randrange(parts) if random.random() < fail else None
        seconds *= random.uniform(0.85, 1.2)
        for done in range(parts):
            self.stdout.write(self.line(subject, done))
            if done == fails_at:
                self.stderr.write(f"WARNING {subject}: the answer to part {done + 1} was late")
                self.give_up(subject, done)
            time.sleep(seconds / parts)
            Job.update_progress(total_parts=parts, total_parts_complete=done + 1)
        self.stdout.write(f"\x1b[32m{subject or 'all'}: {parts} parts done\x1b[0m")

    def line(self, subject: str, done: int) -> str:
        step = self.STEPS[done % len(self.STEPS)]
        return f"\x1b[2m{time.strftime('%H:%M:%S')}\x1b[0m {subject}: {step % (done + 1) if '%d' in step else step}"

    def give_up(self, subject: str, done: int) -> None:
        raise ShopError(f"{subject}, part {done + 1}: {self.ERROR}")
