from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser


class Command(BaseCommand):
    help = "Start a daemon that has left the process group, the session and its parent; then end, or stay."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("pidfile", type=Path, help="where the daemon writes its process id, one per line")
        parser.add_argument(
            "--refork", action="store_true", help="the daemon forks again and again, and its parent ends"
        )
        parser.add_argument("--keep-output", action="store_true", help="the daemon keeps stdout and stderr open")
        parser.add_argument("--stay", type=float, default=0.0, help="seconds until the command itself ends")

    def handle(self, *args: Any, pidfile: Path, refork: bool, keep_output: bool, stay: float, **options: Any) -> None:
        sys.stdout.flush()
        if os.fork() == 0:
            os.setsid()
            if os.fork():
                os._exit(0)
            self.be_daemon(pidfile, refork, keep_output)
        os.wait()
        while not pidfile.exists():
            time.sleep(0.01)
        print("daemon started", flush=True)
        time.sleep(stay)

    def be_daemon(self, pidfile: Path, refork: bool, keep_output: bool) -> None:
        """Live until killed, for ten minutes at most."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if not keep_output:
            null = os.open(os.devnull, os.O_RDWR)
            os.dup2(null, 1)
            os.dup2(null, 2)
        self.note_pid(pidfile)
        deadline = time.monotonic() + 600
        while time.monotonic() < deadline:
            time.sleep(0.01)
            if refork:
                if os.fork():
                    os._exit(0)
                self.note_pid(pidfile)
        os._exit(0)

    def note_pid(self, pidfile: Path) -> None:
        """Append, but replace the file in one step: a reader that finds it also finds a process id in it."""
        known = pidfile.read_text() if pidfile.exists() else ""
        draft = pidfile.with_name(f"{pidfile.name}.{os.getpid()}")
        draft.write_text(f"{known}{os.getpid()}\n")
        draft.replace(pidfile)
