from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

import chroniker
from chroniker.exceptions import LeaseLost
from tests.testapp.witnessing import write

PULSE = 0.1
PORTION = 100
WORK = Path(os.environ.get("CHRONIKER_TEST_WITNESS", "/dev/null"))


class Command(BaseCommand):
    help = (
        "Work for a while, and let the witness file show when: at the beginning, every tenth of a second, at the end."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("job", help="the name under which instances are compared")
        parser.add_argument("--seconds", type=float, default=0.0)
        parser.add_argument("--lines", type=int, default=0, help="so many numbered lines of output")
        parser.add_argument("--talk", action="store_true", help="all the time, and not all of them at the beginning")
        parser.add_argument("--deaf", action="store_true", help="ignore SIGTERM")
        parser.add_argument("--daemon", action="store_true", help="leave a process behind that works on")
        parser.add_argument("--hydra", type=int, default=0, help="leave so many behind that fork, and fork, and fork")
        parser.add_argument("--fenced", action="store_true", help="count up a row under chroniker.fence()")
        parser.add_argument("--flood", type=int, default=0, help="so many bytes of output, in one line without end")
        parser.add_argument("--murmur", action="store_true", help="write what it never flushes")
        parser.add_argument("--fail", action="store_true", help="end badly")

    def handle(self, *args: Any, job: str, seconds: float, **flags: Any) -> None:
        if flags["deaf"]:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        write(WORK, f"begin {Path(chroniker.__file__).parents[1].name}", job)
        if flags["daemon"]:
            start_a_daemon(job)
        for _head in range(flags["hydra"]):
            start_a_forking_chain(job)
        if flags["fenced"]:
            effect(job)
        lines = iter(range(flags["lines"]))
        if not flags["talk"]:
            self.speak(job, lines)
        flood(flags["flood"])
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(PULSE)
            write(WORK, "alive", job)
            self.speak(job, islice(lines, PORTION))
            if flags["murmur"]:
                self.stdout.write("x", ending="")
        if flags["fenced"]:
            effect(job)
        write(WORK, "end", job)
        if flags["fail"]:
            raise CommandError("as the option demands")

    def speak(self, job: str, lines: Iterable[int]) -> None:
        """Numbered lines. From time to time the witness file gets the number of lines that were certainly written."""
        for number in lines:
            self.stdout.write(f"{number:06d}")
            if number % PORTION == PORTION - 1:
                self.stdout.flush()
                write(WORK, f"wrote {number + 1}", job)


def flood(size: int) -> None:
    piece = b"x" * 65536
    while size > 0:
        size -= os.write(1, piece[:size])


def start_a_daemon(job: str) -> None:
    """A grandchild in its own session, for which no process waits."""
    if os.fork():
        return
    os.setsid()
    for _each in range(600):
        time.sleep(PULSE)
        write(WORK, "alive", job)
    os._exit(0)


def start_a_forking_chain(job: str) -> None:
    """A process that is hard to find: it forks a successor in a new session, and ends.

    It never becomes more than one process, and it ends by itself.
    """
    if os.fork():
        return
    for generation in range(500):
        if os.fork():
            os._exit(0)
        os.setsid()
        time.sleep(0.03)
        if generation % 3 == 0:
            write(WORK, "alive", job)
    os._exit(0)


def effect(job: str) -> None:
    """Store the token at the job's next position. The counter is locked: positions follow the order of commits."""
    token = int(os.environ["CHRONIKER_RUN_TOKEN"])
    try:
        with chroniker.fence(), connection.cursor() as cursor:
            cursor.execute("UPDATE fault_places SET place = place + 1 WHERE job = %s", [job])
            cursor.execute(
                "INSERT INTO fault_effects (job, place, token) SELECT job, place, %s FROM fault_places WHERE job = %s",
                [token, job],
            )
            time.sleep(PULSE)
    except LeaseLost as lost:
        raise CommandError(f"refused: {lost}") from lost
