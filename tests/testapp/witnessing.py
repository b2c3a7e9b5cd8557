"""The witness file: every instance of a job writes there when it begins and ends, so that tests can see overlaps.

One line is one ``write`` to a file opened with O_APPEND: lines of many processes never mix.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Mark:
    """One line. ``monotonic`` may be compared between processes of one machine; it counts from the machine's start."""

    event: str  # "begin" or "end"
    job: str
    run: str
    token: int
    pid: int
    monotonic: float
    wall: float


def write(path: Path, event: str, job: str) -> Mark:
    run, token = os.environ.get("CHRONIKER_RUN_ID", ""), int(os.environ.get("CHRONIKER_RUN_TOKEN") or 0)
    mark = Mark(event, job, run, token, os.getpid(), time.monotonic(), time.time())
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        os.write(descriptor, json.dumps(asdict(mark)).encode() + b"\n")
    finally:
        os.close(descriptor)
    return mark


def read(path: Path) -> list[Mark]:
    """All marks, in the order in which they were written. None before the first."""
    if not path.exists():
        return []
    return [Mark(**json.loads(line)) for line in path.read_text().splitlines()]


def begun(path: Path, job: str = "") -> list[Mark]:
    """The beginnings, of all jobs or of one."""
    return [mark for mark in read(path) if mark.event == "begin" and job in ("", mark.job)]


def ended(path: Path, job: str = "") -> list[Mark]:
    return [mark for mark in read(path) if mark.event == "end" and job in ("", mark.job)]


def overlaps(path: Path) -> list[tuple[Mark, Mark]]:
    """Pairs of instances of the same job where the second began before the first had ended.

    An instance that was killed wrote no end: it counts as ended with its beginning, so only what provably
    overlapped is reported.
    """
    marks = read(path)
    ends = {(mark.pid, mark.run): mark.monotonic for mark in marks if mark.event == "end"}
    begins = sorted((mark for mark in marks if mark.event == "begin"), key=lambda mark: mark.monotonic)
    return [
        (first, second)
        for number, first in enumerate(begins)
        for second in _same_job(begins[number + 1 :], first)
        if second.monotonic < ends.get((first.pid, first.run), first.monotonic)
    ]


def _same_job(marks: list[Mark], first: Mark) -> Iterator[Mark]:
    return (mark for mark in marks if mark.job == first.job)


@contextmanager
def witnessed(path: Path, job: str) -> Iterator[None]:
    """Write a beginning and, unless killed, an end."""
    write(path, "begin", job)
    try:
        yield
    finally:
        write(path, "end", job)
