"""Points between two statements of a step in a run's life at which a process can be made to die.

Production code has none of them: in processes of the fault runner the steps are wrapped from the outside, before they
begin (``tests.testapp.apps``). A point has the name of its step and a number: ``claim:3`` is before the third thing
that a claim does. What counts is what leaves the process: each statement, each commit (before and after), each batch of
messages (before and after), the way back to the caller.

Runner and processes communicate by a directory: the runner creates a file with the name of a point, and the first
process that reaches this point removes the file and dies of SIGKILL.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

VARIABLE = "CHRONIKER_TEST_FAILPOINTS"

#: Names in ``chroniker.lifecycle``. The product must call each as ``lifecycle.NAME``: a test looks for other imports.
STEPS = (
    *(
        "book_next_instants",
        "claim",
        "reserve_claims_for_redispatch",
        "record_wait_for_required_host",
        "record_dispatched",
        "record_dispatch_failures",
    ),
    *("start", "renew", "finish", "expire_runs", "request_stop", "reset_deadlines_after_clock_jump"),
)


class Points:
    """In a process that is to die: where it is, in each thread."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._here = threading.local()
        self._known: set[str] = set()

    def step(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """``function``, counting its points. A step within a step counts for the outer one."""

        def counted(*args: Any, **named: Any) -> Any:
            if getattr(self._here, "step", ""):
                return function(*args, **named)
            self._here.step, self._here.number = name, 0
            try:
                answer = function(*args, **named)
                self.reach()
                return answer
            finally:
                self._here.step = ""

        return counted

    def reach(self) -> None:
        """The next point, if this thread is within a step. It may be the last thing that this process does."""
        name = getattr(self._here, "step", "")
        if not name:
            return
        self._here.number += 1
        point = f"{name}:{self._here.number}"
        if point not in self._known:
            self._known.add(point)
            append_line(self._directory / "known", point)
        if self._is_armed(point):
            append_line(self._directory / "hit", point)
            os.kill(os.getpid(), signal.SIGKILL)

    def _is_armed(self, point: str) -> bool:
        """The process that removes the file is the one that dies."""
        try:
            (self._directory / f"armed-{point}").unlink()
        except FileNotFoundError:
            return False
        return True


def install(directory: Path) -> None:
    """In each process of the scheduler, before it begins."""
    from django.db.backends.base.base import BaseDatabaseWrapper
    from django.db.backends.signals import connection_created

    from chroniker import lifecycle
    from chroniker_celery import publish

    points = Points(directory)
    for name in STEPS:
        setattr(lifecycle, name, points.step(name, getattr(lifecycle, name)))
    publish.publish = points.step("dispatch", publish.publish)
    publish._send = _around(points, publish._send)
    commit = BaseDatabaseWrapper.commit

    def statement(execute: Callable[..., Any], sql: Any, params: Any, many: Any, context: Any) -> Any:
        points.reach()
        return execute(sql, params, many, context)

    def watch(connection: BaseDatabaseWrapper, **_: Any) -> None:
        if statement not in connection.execute_wrappers:
            connection.execute_wrappers.append(statement)

    connection_created.connect(watch, weak=False)
    BaseDatabaseWrapper.commit = _around(points, commit)  # type: ignore[method-assign]


def append_line(path: Path, line: str) -> None:
    """One write to a file opened to append: lines of many processes never mix."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    os.write(descriptor, f"{line}\n".encode())
    os.close(descriptor)


def read(path: Path) -> Counter[str]:
    with suppress(FileNotFoundError):
        return Counter(path.read_text().split())
    return Counter()


def arm(directory: Path, point: str) -> None:
    (directory / f"armed-{point}").touch()


def is_armed(directory: Path, point: str) -> bool:
    return (directory / f"armed-{point}").exists()


def unreached(directory: Path) -> list[str]:
    """Steps that no process entered: such a step was not tested."""
    entered = {point.partition(":")[0] for point in read(directory / "known")}
    return [step for step in (*STEPS, "dispatch") if step not in entered]


def disarm(directory: Path, point: str) -> bool:
    """Whether no process had reached the point."""
    try:
        (directory / f"armed-{point}").unlink()
    except FileNotFoundError:
        return False
    return True


def hits(directory: Path) -> dict[str, int]:
    """By point, how often a process died there; also points that were passed and never armed."""
    hit = read(directory / "hit")
    return {point: hit[point] for point in sorted(read(directory / "known"), key=_order)}


def _order(point: str) -> tuple[str, int]:
    step, _colon, number = point.partition(":")
    return step, int(number)


def _around(points: Points, function: Callable[..., Any]) -> Callable[..., Any]:
    def stepped(*args: Any, **named: Any) -> Any:
        points.reach()
        answer = function(*args, **named)
        points.reach()
        return answer

    return stepped
