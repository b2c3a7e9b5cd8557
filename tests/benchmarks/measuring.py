"""What all benchmarks share: one row per figure, medians, the machine's load, statements counted."""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psutil

Row = dict[str, Any]


def milliseconds(seconds: Sequence[float]) -> float:
    """The median, in milliseconds."""
    return figure(statistics.median(seconds) * 1000)


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that ``percent`` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -int(-len(ordered) * percent // 100) - 1)]


def figure(value: float) -> float:
    """Four significant digits; more would be noise."""
    return float(f"{value:.4g}")


def ratio(values: Sequence[float], floors: Sequence[float]) -> float:
    """The median over pairs measured one directly after the other, so that other load affects both."""
    return figure(statistics.median(value / floor for value, floor in zip(values, floors, strict=True)))


def processor_seconds() -> float:
    """Of this process, and on PostgreSQL of the server process of its connection, so far."""
    from django.db import connection

    own = time.process_time()
    if connection.vendor != "postgresql":
        return own
    connection.ensure_connection()
    server = psutil.Process(connection.connection.info.backend_pid).cpu_times()
    return own + server.user + server.system


def load() -> float:
    """The load average of the last minute. If it is near the number of cores, the figures are unreliable."""
    return round(os.getloadavg()[0], 1)


class Stopwatch:
    """``with Stopwatch() as watch: ...``, then ``watch.seconds``; ``lap`` adds up the time of parts."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.laps: dict[str, float] = {}

    def __enter__(self) -> Stopwatch:
        self._start = self._lap = time.perf_counter()
        return self

    def lap(self, name: str) -> None:
        """Add the time since the last lap to ``name``."""
        now = time.perf_counter()
        self.laps[name] = self.laps.get(name, 0.0) + now - self._lap
        self._lap = now

    def __exit__(self, *error: object) -> None:
        self.seconds = time.perf_counter() - self._start


@contextmanager
def counted_statements() -> Iterator[Callable[[], int]]:
    """Statements that this thread sends through Django, without BEGIN and COMMIT."""
    from django.db import connection

    count = 0

    def wrapper(execute: Callable[..., Any], *args: Any) -> Any:
        nonlocal count
        count += 1
        return execute(*args)

    with connection.execute_wrapper(wrapper):
        yield lambda: count


def show(rows: Iterator[Row], *, as_json: bool) -> None:
    """Each row as it comes: one JSON object per line, or a line of a table whose columns are the first row's."""
    widths: list[tuple[str, int]] = []
    for row in rows:
        if as_json:
            print(json.dumps(row), flush=True)
            continue
        if [name for name, _width in widths] != list(row):
            widths = [(name, max(len(name), len(_cell(value)))) for name, value in row.items()]
            print("  ".join(f"{name:>{width}}" for name, width in widths))
        print("  ".join(f"{_cell(row[name]):>{width}}" for name, width in widths), flush=True)


def _cell(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
