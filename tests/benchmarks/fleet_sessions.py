"""Processes that simulate workers, their database sessions, and the work of PostgreSQL meanwhile."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkProcess
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import psutil
from django.db import connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from chroniker.conf import settings
from chroniker.executors.database_report import DatabaseReport
from tests.benchmarks.measuring import Row, figure

Work = Callable[[Any, Sequence[BaseDatabaseWrapper]], Any]

_COUNTS = """
    SELECT (SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()),
           (SELECT wal_sync FROM pg_stat_wal), (SELECT wal_bytes FROM pg_stat_wal)
"""


@dataclass(frozen=True, slots=True)
class PlayedBy:
    """How the fleet is simulated.

    ``port``: another one than the database's own, such as that of a pooler. ``settle``: how long to wait before the
    counts of the server are read: a session that does nothing more reports its own after ten seconds.
    """

    processes: int
    threads: int
    port: int | None
    settle: float


class Players:
    """Forked processes that call ``work`` with a part each and their sessions, which stay open until the end."""

    def __init__(self, work: Work, parts: Sequence[Any], sessions: int, port: int | None) -> None:
        self._work, self._parts, self._sessions, self._port = work, parts, sessions, port
        self._lines: list[Connection] = []
        self._processes: list[ForkProcess] = []

    def __enter__(self) -> Self:
        connections.close_all()  # a fork must not use them
        context = multiprocessing.get_context("fork")
        for part in self._parts:
            near, far = context.Pipe()
            process = context.Process(target=self._play, args=(far, part), daemon=True)
            process.start()
            self._lines.append(near)
            self._processes.append(process)
        self._answers()
        return self

    def play(self) -> list[Any]:
        """What ``work`` returned for each part."""
        for line in self._lines:
            line.send("go")
        return self._answers()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for line, process in zip(self._lines, self._processes, strict=True):
            with suppress(OSError):  # it has failed already
                line.send("end")
            process.join()

    def _answers(self) -> list[Any]:
        answers = [line.recv() for line in self._lines]
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return answers

    def _play(self, line: Connection, part: Any) -> None:
        try:
            sessions = [_session(self._port) for _each in range(self._sessions)]
            for session in sessions:
                with used(session):  # to fill the server's caches of this session
                    DatabaseReport(uuid4(), 1).renew(None)
            line.send("ready")
            line.recv()
            line.send(self._work(part, sessions))
            line.recv()  # until the counts are read
        except Exception as error:  # the parent raises it
            line.send(error)


def _session(port: int | None) -> BaseDatabaseWrapper:
    """A session of its own, which one thread after another may use."""
    made: BaseDatabaseWrapper = connections.create_connection(settings.database)
    made.settings_dict = {**made.settings_dict, "PORT": port or made.settings_dict["PORT"]}
    made.inc_thread_sharing()
    made.connect()
    return made


@contextmanager
def used(own: BaseDatabaseWrapper) -> Iterator[None]:
    """Within this block, the current thread uses this session: a report borrows what its thread has open."""
    before = connections[settings.database]
    connections[settings.database] = own
    try:
        yield
    finally:
        connections[settings.database] = before


class ServerWork:
    """What PostgreSQL has done since the creation, by its own counts and by the kernel's."""

    def __init__(self, settle: float) -> None:
        self._settle = settle
        self._counts, self._seconds = self._read(), _seconds_by_process()

    def per(self, unit: str, units: int) -> Row:
        """For each of ``units`` pieces of work. Call it while all sessions are open."""
        after = _seconds_by_process()
        total = sum(seconds - self._seconds.get(pid, 0.0) for pid, seconds in after.items())
        commits, fsyncs, wal = (b - a for a, b in zip(self._counts, self._read(), strict=True))
        return {
            f"server_ms_per_{unit}": figure(total / units * 1000),
            f"commits_per_{unit}": figure(commits / units),
            f"fsyncs_per_{unit}": figure(fsyncs / units),
            f"wal_bytes_per_{unit}": figure(wal / units),
            "server_processes": len(after),
        }

    def _read(self) -> list[float]:
        time.sleep(self._settle)  # see PlayedBy
        with connection.cursor() as cursor:
            cursor.execute(_COUNTS)
            return list(map(float, cursor.fetchone()))


def _seconds_by_process() -> dict[int, float]:
    """Processor time of each process of the server that lives now, more exact than the kernel's clock ticks."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        main = psutil.Process(cursor.fetchone()[0]).parent()
    assert main is not None
    return {pid: _seconds(pid) for pid in [main.pid, *(child.pid for child in main.children())]}


def _seconds(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[0]) / 1e9
    except (OSError, IndexError):
        return 0.0
