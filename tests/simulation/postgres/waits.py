"""Waits for row locks, made deterministic.

A statement is sent without waiting. While no answer has come, another session reads which sessions block it. If
none does, the server is still working, which takes no virtual time. Otherwise the thread sleeps until some transaction
ends. In a deadlock the server chooses a victim, which is awaited in real time.
"""

from __future__ import annotations

import select
from collections.abc import Generator
from typing import Any

import psycopg

from tests.simulation.world import active, is_inside

POLL_MILLIS = 2
DEADLOCK_SECONDS = 30
_real_wait = psycopg.Connection.wait
_monitor: list[psycopg.Connection[Any]] = []
#: By the process id of a session that waits: the sessions that block it.
_blocked: dict[int, list[int]] = {}


def install(**parameters: Any) -> None:
    """``parameters`` of a session that only looks."""
    _monitor[:] = [psycopg.connect(**parameters, autocommit=True)]
    vars_of: Any = psycopg.Connection
    vars_of.wait = _wait


def monitor() -> psycopg.Connection[Any]:
    return _monitor[0]


def ask(statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """Put a statement to the looking session, outside of the simulation."""
    with active().outside(), monitor().cursor() as cursor:
        cursor.execute(statement, parameters or None)
        return cursor.fetchall() if cursor.description else []


def _wait(connection: psycopg.Connection[Any], gen: Generator[Any, Any, Any], *args: Any, **options: Any) -> Any:
    if not is_inside() or connection in _monitor:
        return _real_wait(connection, gen, *args, **options)
    pid, descriptor = connection.info.backend_pid, connection.pgconn.socket
    try:
        state = next(gen)
        while True:
            while not (ready := _poll(descriptor, state)):
                if _is_blocked(pid):
                    active().waiting.append(active().thread)
                    active().note("waits for a lock", active().process.name)
                    active().block()
            state = gen.send(ready)
    except StopIteration as end:
        return end.value
    finally:
        _blocked.pop(pid, None)


def _poll(descriptor: int, state: Any, millis: float = POLL_MILLIS) -> Any:
    poll = select.poll()
    poll.register(descriptor, (select.POLLIN if state & 1 else 0) | (select.POLLOUT if state & 2 else 0))
    found = poll.poll(millis)
    if not found:
        return 0
    mask = found[0][1]
    ready = (psycopg.waiting.Ready.R if mask & (select.POLLIN | select.POLLHUP | select.POLLERR) else 0) | (
        psycopg.waiting.Ready.W if mask & select.POLLOUT else 0
    )
    return psycopg.waiting.Ready(ready)


def _is_blocked(pid: int) -> bool:
    ((blockers,),) = ask("SELECT pg_blocking_pids(%s)", pid)
    _blocked[pid] = blockers
    return bool(blockers) and not _is_deadlock(pid)


def _is_deadlock(pid: int) -> bool:
    """Whether this session waits for itself. Then the server ends one of the waits soon: await that."""
    seen, todo = set[int](), list(_blocked[pid])
    while todo:
        other = todo.pop()
        todo += [] if other in seen else _blocked.get(other, [])
        seen.add(other)
    if pid not in seen:
        return False
    for _each in range(DEADLOCK_SECONDS * 100):
        ((waiting,),) = ask("SELECT count(*) FROM unnest(%s::int[]) AS p WHERE pg_blocking_pids(p) <> '{}'", [*seen])
        if waiting < len(seen):
            released()
            return True
        select.select([], [], [], 0.01)
    raise AssertionError("the server did not end a deadlock")


def released() -> None:
    """Some transaction has ended: every waiting thread checks again, in the order in which they began to wait."""
    world = active()
    for thread in world.waiting:
        world.wake(thread)
    world.waiting.clear()


def end_session(connection: Any) -> None:
    """Of a process that was killed. Returns when the server has let its locks go."""
    if connection is None or connection.closed:
        return
    pid = connection.info.backend_pid
    ask("SELECT pg_terminate_backend(%s)", pid)
    while ask("SELECT 1 FROM pg_stat_activity WHERE pid = %s", pid):
        select.select([], [], [], 0.001)
    connection.pgconn.finish()
