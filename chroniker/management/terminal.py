"""The output of our commands: safe for the terminal or the log that shows it, and printable in any encoding."""

from __future__ import annotations

import io
import sys
from typing import IO, Any

from django.core.management.base import BaseCommand

from chroniker.escaping import escape_controls


class ControlEscapingStream:
    """Escapes control characters. ``isatty`` is false, because otherwise Django would add colours."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        self._stream.write(escape_controls(text))

    def write_run_output(self, text: str) -> None:
        """Write output of a run: unchanged into a file or a pipe, escaped to a terminal."""
        if self._stream.isatty():
            text = escape_controls(text.replace("\r\n", "\n").replace("\r", "\n"))
        self._stream.write(text)

    def flush(self) -> None:
        self._stream.flush()

    def isatty(self) -> bool:
        return False


class ConsoleCommand(BaseCommand):
    """A command whose output people read."""

    def __init__(self, stdout: Any = None, stderr: Any = None, **options: Any) -> None:
        escaped: Any = [ControlEscapingStream(stream) for stream in (stdout or sys.stdout, stderr or sys.stderr)]
        super().__init__(*escaped, **options)

    def run_from_argv(self, argv: list[str]) -> None:
        escape_unencodable_characters()
        super().run_from_argv(argv)

    def print_help(self, prog_name: str, subcommand: str) -> None:
        escape_unencodable_characters()
        super().print_help(prog_name, subcommand)

    def execute(self, *args: Any, **options: Any) -> str | None:
        for name in ("stdout", "stderr"):
            if options.get(name):
                options[name] = ControlEscapingStream(options[name])
        return super().execute(*args, **options)


def escape_unencodable_characters() -> None:
    """Let this process's output write ``\\xe9`` for a character that its encoding lacks, instead of raising.

    A terminal or a log may be Latin-1 or ASCII; a server must not exit because of a job's name.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
