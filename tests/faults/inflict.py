"""The faults: each a function of the stage and the dice. What it breaks is whole again some seconds later."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress

import psutil

from tests.faults.stage import LEASE, Actor, Stage
from tests.servers import RedisServer

Fault = Callable[[Stage, random.Random], str]

ROLES = ("tick", "beat", "worker")
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


def cut_database(stage: Stage, dice: random.Random) -> str:
    return _cut(stage, dice, "database")


def cut_broker(stage: Stage, dice: random.Random) -> str:
    return _cut(stage, dice, "broker")


def slow_database(stage: Stage, dice: random.Random) -> str:
    actor = stage.some(dice, "worker")
    wire = actor.wires.get("database")
    if wire is None:
        return "no wire to slow down"
    wire.set("slow", delay=dice.uniform(0.2, 2.0))
    time.sleep(LEASE)
    wire.set("pass")
    return "a slow database for a worker"


def flush_broker(stage: Stage, dice: random.Random) -> str:
    """All messages are gone, as after a restart without persistence."""
    if isinstance(stage.broker.server, RedisServer):
        stage.broker.server.reset()
        return "the broker forgot its messages"
    with suppress(Exception):  # its channel may be cut off at this moment
        stage.broker.empty()
    return "the broker's queue was purged"


def restart_broker(stage: Stage, dice: random.Random) -> str:
    stage.broker.server.stop(keep=True)
    time.sleep(dice.uniform(0.5, 3))
    stage.broker.server.start()
    return "the broker was restarted"


def restart_database(stage: Stage, dice: random.Random) -> str:
    if stage.database is None:
        return "no database server"
    stage.database.stop(keep=True)
    time.sleep(dice.uniform(0.5, 3))
    stage.database.start()
    return "the database was restarted"


def replay(stage: Stage, dice: random.Random) -> str:
    """Every run's message again, in another order, and some forged ones."""
    from uuid import uuid4

    from chroniker.models import Run
    from chroniker_celery.publish import Letter, publish
    from tests.celeryapp import app

    runs = list(Run.objects.order_by("-claimed_at").values_list("pk", "token")[:60])
    letters = [Letter(pk, token) for pk, token in runs] + [Letter(uuid4(), 1) for _each in range(10)]
    letters += [Letter(pk, token + 1) for pk, token in runs[:10]]
    dice.shuffle(letters)
    with suppress(Exception):  # the broker may be away
        publish(app, letters, timeout=2)
    return f"{len(letters)} messages replayed or forged"


SCENARIOS: dict[str, tuple[Fault, ...]] = {
    "kill": (kill_actor, *[kill_part] * 5),
    "freeze": (stop_part, stop_actor, stop_all_of_a_worker),
    "terminate": (term_actor,),
    "database": (cut_database, slow_database, restart_database),
    "broker": (cut_broker, flush_broker, restart_broker, replay),
}
SCENARIOS["mix"] = tuple(fault for faults in list(SCENARIOS.values()) for fault in faults)


def _cut(stage: Stage, dice: random.Random, wire: str) -> str:
    actor = dice.choice(stage.actors)
    if wire not in actor.wires:
        return f"no wire to the {wire}"
    how = dice.choice(("freeze", "reset"))
    actor.wires[wire].set(how)
    time.sleep(LEASE * dice.uniform(0.2, 2.0))
    actor.wires[wire].set("pass")
    return f"{actor.role} cut off from the {wire} ({how})"


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
