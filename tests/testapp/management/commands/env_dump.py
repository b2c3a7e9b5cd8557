from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser


class Command(BaseCommand):
    help = "Print, as JSON, what this process was given: environment, directory, arguments, descriptors, signals."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("words", nargs="*")
        parser.add_argument("--flag", action="store_true")

    def handle(self, *args: Any, words: list[str], flag: bool, **options: Any) -> None:
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, [])
        seen = {
            "environ": dict(os.environ),
            "cwd": os.getcwd(),  # noqa: PTH109  JSON wants text
            "argv": sys.argv,
            "words": words,
            "flag": flag,
            "descriptors": open_descriptors(),
            "sigterm_default": signal.getsignal(signal.SIGTERM) is signal.SIG_DFL,
            "signals_blocked": sorted(int(signum) for signum in blocked),
            "session": os.getsid(0),
            "stdin": os.readlink("/proc/self/fd/0") if sys.platform == "linux" else "",  # noqa: PTH115
        }
        json.dump(seen, sys.stdout)


def open_descriptors() -> list[int]:
    return [number for number in range(256) if is_open(number)]


def is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True
