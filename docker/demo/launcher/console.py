"""Prints the output of the demo's processes, each line with the name of its process."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import cycle
from typing import TextIO

COLOURS = ("36", "33", "35", "32", "34")
BOLD = "1"


def wants_colour(stream: TextIO) -> bool:
    """Whether the stream is a terminal with colours (see https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


class Console:
    """Pads names to ``width``. Calls ``on_closed`` when the output is closed (a closed terminal, ``| head``)."""

    def __init__(self, stream: TextIO, *, width: int) -> None:
        self.on_closed: Callable[[], object] = lambda: None
        self._stream = stream
        self._width = width
        self._colour = wants_colour(stream)
        self._colours = cycle(COLOURS)
        self._of: dict[str, str] = {}

    def line(self, name: str, text: str) -> None:
        if name not in self._of:
            self._of[name] = next(self._colours)
        self._write(f"{self._painted(f'{name:<{self._width}} |', self._of[name])} {text}")

    def say(self, text: str) -> None:
        """Print a message of the demo itself."""
        self._write(self._painted(text, BOLD))

    def print(self, *lines: str) -> None:
        for line in lines:
            self._write(line)

    def _painted(self, text: str, colour: str) -> str:
        return f"\033[{colour}m{text}\033[0m" if self._colour else text

    def _write(self, text: str) -> None:
        try:
            print(text, file=self._stream, flush=True)
        except OSError:
            # Discard further output, including Python's last flush.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())
            self.on_closed()
