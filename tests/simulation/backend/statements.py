"""What happens around a statement: others run, the host may be cut off, the connection may break, the process may die.

A statement outside of a transaction is an event: others run between any two of them. On SQLite a transaction holds the
whole database, as its writers do; others wait for it. On PostgreSQL statements within transactions are events, too.
"""

from __future__ import annotations

import re
import sqlite3

from django.db.utils import OperationalError

from tests.simulation.processes import Killed, Thread
from tests.simulation.world import World, active, is_inside

#: The one connection that all simulated threads share.
connections: list[sqlite3.Connection] = []
LOCK_TRIES = 20
#: Of the fault "late answer, then cut", for a lease of ten seconds.
LATE_SECONDS, CUT_SECONDS = 6.0, 30.0
#: SQLite's savepoints are not statements of the product.
SAVEPOINT_VERBS = ("SAVEPO", "RELEAS", "ROLLBA")
#: WITH: the statements that join several, on PostgreSQL; EXECUTE: the same, prepared.
WRITING_VERBS = ("UPDATE", "INSERT", "DELETE", "WITH", "EXECUTE")


_TABLE = re.compile(r'"(chroniker_\w+)"')
#: Of each prepared statement, by its name.
_prepared: dict[str, list[str]] = {}


def _tables(query: str) -> list[str]:
    """The table that the statement writes. Of joined statements also tables that it only reads may be returned."""
    if query.startswith("EXECUTE"):
        return _prepared[query.split()[1].partition("(")[0]]
    first = _TABLE.search(query)
    return [] if first is None else _TABLE.findall(query) if query.startswith("WITH") else [first[1]]


def raw() -> sqlite3.Connection:
    return connections[0]


def before(query: str) -> None:
    if query.startswith("PREPARE"):
        _prepared[query.split()[1]] = _TABLE.findall(query)
    if not is_inside():
        return
    world = active()
    thread = world.thread
    if thread.process.dead:
        raise Killed
    world.statements += 1
    _before(world, thread, query)
    if query.startswith(WRITING_VERBS) and "chroniker_run" in _tables(query):
        thread.wrote_runs_at = world.now


def _before(world: World, thread: Thread, query: str) -> None:
    """Others run, and something may break."""
    if not world.row_locks and thread.in_transaction:
        _within_transaction(world, query)
        return
    _pause(world)
    _interrupt(world, thread)
    _reach_database(world, thread)
    if thread.in_transaction:
        _within_transaction(world, query)
    else:
        _wait_for_transaction(world, thread)
    if not world.row_locks and query[:5].upper() == "BEGIN":
        world.transaction = thread


def after(query: str) -> None:
    world = active()
    writes = query.startswith(WRITING_VERBS)
    if writes:
        world.written.update(_tables(query))
    if not is_inside():
        return
    if world.thread.in_transaction:
        return
    if writes:
        world.note("write", world.process.name, query[:40])
        world.after_commit()
    if _takes(world, "late answer, then cut", counts=True):
        world.block(LATE_SECONDS)
        world.process.host.unreachable_until = world.now + CUT_SECONDS
    if writes:
        answer(world)


def answer(world: World) -> None:
    """The way back of the answer to a commit."""
    if world.chance("kill after commit"):
        die(world)
    if (seconds := _slow_answer(world)) is not None:
        world.block(seconds)
    if world.chance("answer lost") or _takes(world, "lose answer", counts=True):
        raise OperationalError("simulated: the answer was lost")


def die(world: World) -> None:
    world.note("killed at a statement", world.process.name)
    if world.transaction is world.current:
        release(rollback=True)
    world.process.kill()
    world.check_alive()


def release(rollback: bool = False) -> None:
    """The end of a transaction: threads that wait for the database continue."""
    world = active()
    if rollback and raw().in_transaction:
        raw().rollback()
    world.transaction = None
    if world.waiting:
        world.wake(world.waiting.pop(0))


def _within_transaction(world: World, query: str) -> None:
    if query[:6].upper() in SAVEPOINT_VERBS:
        return
    if world.chance("kill in transaction") or _takes(world, "kill in transaction", counts=True):
        die(world)
    if world.chance("statement fails"):
        raise OperationalError("simulated: the connection broke")
    if world.chance("slow in transaction"):
        world.block(world.rng.expovariate(2.0))


def _pause(world: World) -> None:
    world.block(20 * world.rng.random() ** 3 if world.chance("slow") else world.rng.expovariate(2_000))


def _interrupt(world: World, thread: Thread) -> None:
    planned = world.interruption
    if planned is None or planned.process is not thread.process:
        return
    if planned.fault in ("kill in transaction", "late answer, then cut"):
        return  # counted where it is taken
    if planned.place > 0:
        planned.place -= 1
        return
    if planned.fault in ("lose answer", "slow answer"):
        return  # taken after the statement
    world.next_interruption()
    world.note("interrupted", planned.fault or f"{planned.seconds:g} s", thread.process.name)
    if planned.fault == "kill":
        die(world)
    if planned.fault == "fail":
        raise OperationalError("simulated: the connection broke")
    world.block(planned.seconds)


def _slow_answer(world: World) -> float | None:
    seconds = world.interruption.seconds if world.interruption is not None else 0.0
    return seconds if _takes(world, "slow answer", counts=True) else None


def _takes(world: World, fault: str, *, counts: bool = False) -> bool:
    """Whether the planned interruption is this fault, here. It happens once."""
    planned = world.interruption
    if planned is None or planned.fault != fault or planned.process is not world.process:
        return False
    if planned.place > 0:
        planned.place -= counts
        return False
    world.next_interruption()
    world.note("interrupted", fault, world.process.name)
    return True


def _reach_database(world: World, thread: Thread) -> None:
    host = thread.process.host
    if host.unreachable_until > world.now:
        world.block(min(5.0, host.unreachable_until - world.now))
        raise OperationalError("simulated: the database cannot be reached")
    if world.chance("kill at statement"):
        die(world)
    if world.chance("statement fails"):
        raise OperationalError("simulated: the connection broke")


def _wait_for_transaction(world: World, thread: Thread) -> None:
    tries = 0
    while world.transaction is not None:
        if tries > LOCK_TRIES:
            raise OperationalError("database is locked")
        world.waiting.append(thread)
        if not world.block(1.0):
            tries += 1
            if thread in world.waiting:
                world.waiting.remove(thread)
