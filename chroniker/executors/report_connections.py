"""Connections to the deciding database that a worker process keeps between the reports of its runs.

Opening a connection costs more than all statements of a short run. Each report borrows a connection only while it uses
it. So a process has one connection for each report of the same moment, not one for each run. After some idle seconds it
has none.
"""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TypeVar

from django.db import Error, InterfaceError, OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from chroniker.conf import settings
from chroniker.process.kernel import host_clock

StepResult = TypeVar("StepResult")

#: A connection that nothing has used for so many seconds is closed. Between the two limits it is kept for longer than a
#: heartbeat: else the supervisor of a long run would open one for each renewal, which costs more than the renewal.
MIN_IDLE_SECONDS, MOST_IDLE_SECONDS, MAX_IDLE_HEARTBEATS = 10.0, 30.0, 1.5
#: To open a file of SQLite costs little, and a kept one could be a file that was replaced meanwhile.
VENDORS_WITH_KEPT_CONNECTIONS = ("postgresql", "mysql")


class _IdleConnections:
    """The idle connections of this process, each with the time of its last use; the latest used is last."""

    def __init__(self) -> None:
        self._connections: list[tuple[float, BaseDatabaseWrapper]] = []
        self._of_parents: list[object] = []
        self._changed = threading.Condition()
        self._closer: threading.Thread | None = None

    def __len__(self) -> int:
        return len(self._connections)

    def take(self, alias: str) -> BaseDatabaseWrapper | None:
        """The latest used connection that its server has not closed."""
        while True:
            with self._changed:
                place = next((n for n in reversed(range(len(self))) if self._connections[n][1].alias == alias), None)
                if place is None:
                    return None
                _since, connection = self._connections.pop(place)
            if _is_open(connection):
                return connection
            _close_ignoring_errors(connection)

    def put(self, connection: BaseDatabaseWrapper) -> None:
        with self._changed:
            self._connections.append((host_clock.monotonic(), connection))
            if self._closer is None:
                self._closer = threading.Thread(target=self._close_expired, name="chroniker-connections", daemon=True)
                self._closer.start()

    def close(self) -> None:
        with self._changed:
            old, self._connections = self._connections, []
            self._changed.notify()
        for _since, connection in old:
            _close_ignoring_errors(connection)

    def abandon_connections_after_fork(self) -> None:
        """A fork must neither use the connections of its parent nor close them: the server would end the session."""
        self._of_parents.append(self._connections)
        self._connections, self._closer, self._changed = [], None, threading.Condition()

    def _close_expired(self) -> None:
        """Runs in a thread, which ends when no connection is idle any more."""
        while True:
            with self._changed:
                if not self._connections:
                    self._closer = None
                    return
                left = self._connections[0][0] + max_idle_seconds() - host_clock.monotonic()
                if left > 0:
                    self._changed.wait(left)
                    continue
                _since, connection = self._connections.pop(0)
            _close_ignoring_errors(connection)


_idle_connections = _IdleConnections()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_idle_connections.abandon_connections_after_fork)

close_idle_connections = _idle_connections.close


def has_idle_connection() -> bool:
    """Whether a connection is kept now. False in a process that executes no runs, such as the parent of a pool."""
    return bool(len(_idle_connections))


def max_idle_seconds() -> float:
    """How long a connection is kept after its last use."""
    wanted = max(MIN_IDLE_SECONDS, MAX_IDLE_HEARTBEATS * settings.heartbeat.total_seconds())
    return min(wanted, MOST_IDLE_SECONDS)


@contextmanager
def borrow_connection() -> Iterator[None]:
    """Within this block, the current thread uses a kept connection to the deciding database, or opens one to keep.

    A connection that this thread has open already stays in use. After an error, nothing is kept: the server may have
    closed all of them. With ``OPTIONS["pool"]`` the connection goes back to the pool.
    """
    alias = settings.database
    own = connections[alias]
    if own.in_atomic_block or own.connection is not None or not _may_be_kept(own):
        try:
            yield
        finally:
            if is_pooled(own) and not own.in_atomic_block:
                own.close()
        return
    kept = _idle_connections.take(alias) or _new_connection(alias)
    connections[alias] = kept
    try:
        yield
    except BaseException as error:
        _close_ignoring_errors(kept)
        if isinstance(error, Error):
            close_idle_connections()
        raise
    else:
        (_idle_connections.put if _is_reusable(kept) else _close_ignoring_errors)(kept)
    finally:
        connections[alias] = own


def retry_on_connection_error(step: Callable[[], StepResult]) -> StepResult:
    """Call ``step`` with a kept connection; after an error of the connection, once more with a new one."""
    try:
        with borrow_connection():
            return step()
    except (InterfaceError, OperationalError):
        own = connections[settings.database]
        if not own.in_atomic_block:
            _close_ignoring_errors(own)
        with borrow_connection():
            return step()


def is_pooled(connection: BaseDatabaseWrapper) -> bool:
    return bool(connection.settings_dict["OPTIONS"].get("pool"))


def _may_be_kept(connection: BaseDatabaseWrapper) -> bool:
    return connection.vendor in VENDORS_WITH_KEPT_CONNECTIONS and not is_pooled(connection)


def _new_connection(alias: str) -> BaseDatabaseWrapper:
    connection: BaseDatabaseWrapper = connections.create_connection(alias)
    connection.inc_thread_sharing()  # used by one thread after another, never by two at once
    return connection


def _is_reusable(connection: BaseDatabaseWrapper) -> bool:
    """Whether the next report may use it: open, outside any transaction, and without an error."""
    return (
        connection.connection is not None
        and not connection.in_atomic_block
        and not connection.errors_occurred
        and connection.autocommit
    )


def _is_open(connection: BaseDatabaseWrapper) -> bool:
    """Whether the server keeps it open. PostgreSQL: a socket that is readable without a pending statement is closed."""
    if connection.vendor != "postgresql":
        return connection.is_usable()
    try:
        poll = select.poll()
        poll.register(connection.connection.fileno(), select.POLLIN)
        return not poll.poll(0)
    except Exception:  # of any driver: closed on this side
        return False


def _close_ignoring_errors(connection: BaseDatabaseWrapper) -> None:
    with suppress(Exception):  # a broken connection may also fail to close
        connection.close()
