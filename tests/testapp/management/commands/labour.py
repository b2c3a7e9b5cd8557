from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

import chroniker
from chroniker.exceptions import LeaseLost
from tests.testapp.witnessing import write

PULSE = 0.1
WORK = Path(os.environ.get("CHRONIKER_TEST_WITNESS", "/dev/null"))


class Command(BaseCommand):
    help = (
        "Work for a while, and let the witness file show when: at the beginning, every tenth of a second, at the end."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("job", help="the name under which instances are compared")
        parser.add_argument("--seconds", type=float, default=0.0)
        parser.add_argument("--lines", type=int, default=0, help="so many numbered lines of output")
        parser.add_argument("--deaf", action="store_true", help="ignore SIGTERM")
        parser.add_argument("--daemon", action="store_true", help="leave a process behind that works on")
        parser.add_argument("--fenced", action="store_true", help="count up a row under chroniker.fence()")
        parser.add_argument("--fail", action="store_true", help="end badly")

    def handle(self, *args: Any, job: str, seconds: float, lines: int, **flags: Any) -> None:
        if flags["deaf"]:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        write(WORK, "begin", job)
        if flags["daemon"]:
            leave_a_daemon(job)
        if flags["fenced"]:
            effect(job)
        for number in range(lines):
            self.stdout.write(f"{number:06d}")
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(PULSE)
            write(WORK, "alive", job)
        if flags["fenced"]:
            effect(job)
        write(WORK, "end", job)
        if flags["fail"]:
            raise CommandError("as it was told to")


def leave_a_daemon(job: str) -> None:
    """A grandchild in a session of its own, which nobody waits for."""
    if os.fork():
        return
    os.setsid()
    for _each in range(600):
        time.sleep(PULSE)
        write(WORK, "alive", job)
    os._exit(0)


def effect(job: str) -> None:
    """Put the token into the job's next place. The counter is locked, so places are in the order of the commits."""
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
