"""Records which modules of the product a process enters while one job passes through the system.

Loaded by ``sitecustomize`` into each process of the measurement. A module counts as entered when one of its functions
is called between the tick's first call and the end of the run's closing transaction. Not counted: code that only an
import executes; the start-up of the fork server, which happens once for many runs; and what ``cron`` does after the
tick has returned, which may or may not happen before the run has ended.
"""

from __future__ import annotations

import inspect
import mmap
import os
import sys
import threading
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

WINDOW, ENTRIES = "CHRONIKER_TRACE_WINDOW", "CHRONIKER_TRACE_ENTRIES"
BEFORE, DURING, AFTER = b"\0", b"\1", b"\2"
#: The function whose first call opens the window, and the one whose return closes it.
FIRST, LAST = ("scheduler/tick.py", "tick"), ("lifecycle/close.py", "finish")
FORK_SERVER, FORK_REQUEST = ("process/fork_server.py", "main"), ("process/keeper_parent.py", "_handle_request")


class Trace:
    """The profile function of one process and its forks."""

    def __init__(self) -> None:
        window = os.open(os.environ[WINDOW], os.O_RDWR)
        self._window = mmap.mmap(window, 1)
        os.close(window)
        self._package = os.environ["CHRONIKER_TRACE_PACKAGE"]
        self._names: dict[CodeType, tuple[str, str] | None] = {}
        self._entered: set[tuple[str, str]] = set()
        self._starting = self._has_ticked = False
        os.register_at_fork(after_in_child=self._entered.clear)

    def __call__(self, frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            place = self._place(frame.f_code)
            if place is not None:
                self._enter(place, frame)
        elif event == "return":
            place = self._place(frame.f_code)
            if place == FIRST:
                self._has_ticked = True
            elif place == LAST:
                self._window[0:1] = AFTER

    def _enter(self, place: tuple[str, str], frame: FrameType) -> None:
        if place == FIRST:
            self._window[0:1] = DURING
        if place == FORK_SERVER:
            self._starting = True
        elif place == FORK_REQUEST:
            self._starting = False
        module, role = place[0], _role()
        if (role, module) in self._entered or self._window[0:1] != DURING or _is_importing(frame):
            return
        if self._starting or (role == "tick" and self._has_ticked):
            return
        self._entered.add((role, module))
        entry = os.open(os.environ[ENTRIES], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(entry, f"{os.getpid()} {role} {module} {place[1]}\n".encode())
        os.close(entry)

    def _place(self, code: CodeType) -> tuple[str, str] | None:
        if code not in self._names:
            self._names[code] = self._find_place(code)
        return self._names[code]

    def _find_place(self, code: CodeType) -> tuple[str, str] | None:
        """Module and function. None: not the product's, or the body of a module or class."""
        inside = code.co_filename.startswith(self._package) and code.co_flags & inspect.CO_OPTIMIZED
        return (code.co_filename.removeprefix(self._package), code.co_name) if inside else None


def _is_importing(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            return True
        frame = frame.f_back
    return False


def _role() -> str:
    """The process's name, which the keeper, the fork server and the command set; in ``cron`` also the thread's kind.

    With the local executor the threads of ``cron`` do what with Celery the processes of a worker do.
    """
    name = Path(f"/proc/{os.getpid()}/comm").read_text(encoding="utf-8").strip()
    if name.startswith("chroniker"):
        return name
    return "tick" if threading.current_thread() is threading.main_thread() else "worker"


def install() -> None:
    trace = Trace()
    threading.setprofile(trace)
    sys.setprofile(trace)
