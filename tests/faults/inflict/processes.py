"""Faults of processes: killed, frozen, asked to end; alone, or with all that they started."""

from __future__ import annotations

import os
import random
import signal
import time
from contextlib import suppress

import psutil

from tests.faults.actors import ROLES, Actor
from tests.faults.stage import LEASE, Fault, Stage

NURSERY, KEEPER, COMMAND = "chroniker-nursery", "chroniker-keep", "chroniker-run"


def kill_actor(stage: Stage, dice: random.Random) -> str:
    actor = stage.some(dice, dice.choice(ROLES))
    _send(actor.process.pid, signal.SIGKILL)
    return f"SIGKILL to {actor.role}"


def kill_part(stage: Stage, dice: random.Random) -> str:
    return _to_part(stage, dice, signal.SIGKILL)


def stop_part(stage: Stage, dice: random.Random) -> str:
    """Frozen for longer than the lease; what it does when it wakes is too late."""
    part = _part(stage, dice)
    if part is None:
        return "nobody there to freeze"
    _send(part.pid, signal.SIGSTOP)
    time.sleep(LEASE * dice.uniform(0.5, 2.0))
    _send(part.pid, signal.SIGCONT)
    return f"SIGSTOP and SIGCONT to {_name(part)}"


def stop_actor(stage: Stage, dice: random.Random) -> str:
    """A whole process frozen for longer than the lease: a worker, a beat, a tick."""
    actor = dice.choice(stage.actors)
    _send(actor.process.pid, signal.SIGSTOP)
    time.sleep(LEASE * dice.uniform(1.0, 2.0))
    _send(actor.process.pid, signal.SIGCONT)
    return f"SIGSTOP and SIGCONT to {actor.role}"


def stop_all_of_a_worker(stage: Stage, dice: random.Random) -> str:
    """As a virtual machine that was paused and resumed: worker, pool, supervisors, keepers and commands at once."""
    actor = stage.some(dice, "worker")
    parts = [actor.process.pid, *(each.pid for each in actor.process.children())]
    for pid in parts:
        _send(pid, signal.SIGSTOP)
    time.sleep(LEASE * dice.uniform(1.2, 2.0))
    for pid in parts:
        _send(pid, signal.SIGCONT)
    return "SIGSTOP and SIGCONT to a worker and all below it"


def term_actor(stage: Stage, dice: random.Random) -> str:
    actor = stage.some(dice, dice.choice(ROLES))
    _send(actor.process.pid, dice.choice((signal.SIGTERM, signal.SIGQUIT, signal.SIGINT)))
    return f"SIGTERM, SIGQUIT or SIGINT to {actor.role}"


def _to_part(stage: Stage, dice: random.Random, number: signal.Signals) -> str:
    part = _part(stage, dice)
    if part is None:
        return "nobody there to kill"
    name = _name(part)
    _send(part.pid, number)
    return f"{number.name} to {name}"


def _part(stage: Stage, dice: random.Random) -> psutil.Process | None:
    """A pool child, nursery, keeper or command of a worker; each kind is as likely as the others."""
    workers: list[Actor] = [actor for actor in stage.actors if actor.role == "worker"]
    by_name: dict[str, list[psutil.Process]] = {}
    for worker in workers:
        for each in worker.process.children():
            by_name.setdefault(_name(each), []).append(each)
    return dice.choice(by_name[dice.choice(sorted(by_name))]) if by_name else None


def _name(process: psutil.Process) -> str:
    with suppress(psutil.Error):
        name: str = process.name()
        return name if name in (NURSERY, KEEPER, COMMAND) else "pool child"
    return "one that is gone"


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


SCENARIOS: dict[str, tuple[Fault, ...]] = {
    "kill": (kill_actor, *[kill_part] * 5),
    "freeze": (stop_part, stop_actor, stop_all_of_a_worker),
    "terminate": (term_actor,),
}
