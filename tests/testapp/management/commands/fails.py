from __future__ import annotations

import os
import signal
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser


class Command(BaseCommand):
    help = "Fail, in one of the ways there are. Without an option: by an exception."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--status", type=int, help="exit with this status")
        parser.add_argument("--signal", dest="signum", type=int, help="send this signal to itself")
        parser.add_argument("--command-error", action="store_true")
        parser.add_argument("--stderr", action="store_true", help="only write to stderr, and succeed")

    def handle(
        self, *args: Any, status: int | None, signum: int | None, command_error: bool, stderr: bool, **options: Any
    ) -> None:
        if stderr:
            self.stderr.write("this is not an error")
        elif status is not None:
            sys.exit(status)
        elif signum is not None:
            os.kill(os.getpid(), signal.Signals(signum))
        elif command_error:
            raise CommandError("it cannot be done")
        else:
            raise RuntimeError("something broke")
