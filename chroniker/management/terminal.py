"""What our commands write: no name, reason or output of a job can command the terminal, or the log, that shows it."""

from __future__ import annotations

import sys
from typing import IO, Any

from django.core.management.base import BaseCommand

from chroniker.escaping import escape_controls


class VisibleStream:
    """In place of a stream. It is no terminal for Django either, which would add colours of its own."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        self._stream.write(escape_controls(text))

    def repeat(self, text: str) -> None:
        """What a run wrote: a file or a pipe gets it as it is, a terminal as it can be seen."""
        if self._stream.isatty():
            text = escape_controls(text.replace("\r\n", "\n").replace("\r", "\n"))
        self._stream.write(text)

    def flush(self) -> None:
        self._stream.flush()

    def isatty(self) -> bool:
        return False


class ConsoleCommand(BaseCommand):
    """A command for people and their logs."""

    def __init__(self, stdout: Any = None, stderr: Any = None, **options: Any) -> None:
        super().__init__(VisibleStream(stdout or sys.stdout), VisibleStream(stderr or sys.stderr), **options)  # type: ignore[arg-type]

    def execute(self, *args: Any, **options: Any) -> str | None:
        for name in ("stdout", "stderr"):
            if options.get(name):
                options[name] = VisibleStream(options[name])
        return super().execute(*args, **options)
