"""Faults of processes: killed, frozen, asked to end; alone, or with all that they started."""

from __future__ import annotations

import os
import random
import signal
import time
from contextlib import suppress

import psutil

from tests.faults.actors import ROLES, Actor
from tests.faults.environment import LEASE, Environment, Fault

POOL_CHILD = "pool child"
COMMAND = "chroniker-run"
WORKER_PAUSED = "SIGSTOP and SIGCONT to a worker and all below it"
#: As the kernel keeps them: 15 bytes.
PRODUCT_PROCESSES = ("chroniker-fork", "chroniker-cold", "chroniker-keep", COMMAND)


def kill_actor(environment: Environment, rng: random.Random) -> str:
    actor = environment.choose(rng, rng.choice(ROLES))
    _send(actor.process.pid, signal.SIGKILL)
    return f"SIGKILL to {actor}"


def kill_part(environment: Environment, rng: random.Random) -> str:
    return _to_part(environment, rng, signal.SIGKILL)


def kill_pair(environment: Environment, rng: random.Random) -> str:
    """Kill two different parts of one worker (supervisor, keeper, command, …) at the same moment."""
    parts = _parts(environment.choose(rng, "worker"))
    pair = [rng.choice(parts[name]) for name in rng.sample(sorted(parts), min(2, len(parts)))]
    names = [_name(each) for each in pair]
    for each in pair:
        _send(each.pid, signal.SIGKILL)
    return f"SIGKILL to {' and '.join(sorted(names))} of one worker" if len(pair) == 2 else "no two there to kill"


def kill_all_guards(environment: Environment, rng: random.Random) -> str:
    """Supervisors, fork server and keepers of one worker at the same moment; only the commands are left."""
    actor = environment.choose(rng, "worker")
    guards = [each.pid for name, group in sorted(_parts(actor).items()) if name != COMMAND for each in group]
    if actor.pool != "prefork":  # its own threads supervise
        guards.append(actor.process.pid)
    for pid in guards:
        _send(pid, signal.SIGKILL)
    return "SIGKILL to all guards of one worker" if guards else "no guards to kill"


def kill_one_freeze_other(environment: Environment, rng: random.Random) -> str:
    """The part that would clean up after the killed one is stopped, and continues too late."""
    parts = _parts(environment.choose(rng, "worker"))
    if len(parts) < 2:
        return "no two there"
    killed, frozen = (rng.choice(parts[name]) for name in rng.sample(sorted(parts), 2))
    names = _name(killed), _name(frozen)
    _send(frozen.pid, signal.SIGSTOP)
    _send(killed.pid, signal.SIGKILL)
    time.sleep(LEASE * rng.uniform(1.0, 2.0))
    _send(frozen.pid, signal.SIGCONT)
    return f"SIGKILL to {names[0]} while {names[1]} was stopped"


def stop_part(environment: Environment, rng: random.Random) -> str:
    """Frozen for longer than the lease; its actions after it continues are too late."""
    part = _part(environment, rng)
    if part is None:
        return "no process to freeze"
    name = _name(part)
    _send(part.pid, signal.SIGSTOP)
    time.sleep(LEASE * rng.uniform(1.0, 2.0))
    _send(part.pid, signal.SIGCONT)
    return f"SIGSTOP and SIGCONT to {name}"


def stop_supervisor(environment: Environment, rng: random.Random) -> str:
    """For so long that its run is called lost meanwhile, and the job starts again."""
    actor = environment.choose(rng, "worker")
    children = _parts(actor).get(POOL_CHILD, []) if actor.pool == "prefork" else []
    pid = rng.choice(children).pid if children else actor.process.pid
    _send(pid, signal.SIGSTOP)
    time.sleep(LEASE * rng.uniform(2.0, 3.0))
    _send(pid, signal.SIGCONT)
    return "SIGSTOP and SIGCONT to a process that supervises"


def stop_actor(environment: Environment, rng: random.Random) -> str:
    """A whole process frozen for longer than the lease: a worker, a beat, a tick."""
    actor = rng.choice(environment.actors)
    _send(actor.process.pid, signal.SIGSTOP)
    time.sleep(LEASE * rng.uniform(1.0, 2.0))
    _send(actor.process.pid, signal.SIGCONT)
    return f"SIGSTOP and SIGCONT to {actor}"


def stop_all_of_a_worker(environment: Environment, rng: random.Random) -> str:
    """As a virtual machine that was paused and resumed: worker, pool, supervisors, keepers and commands at once."""
    parts = environment.choose(rng, "worker").pids()
    for pid in parts:
        _send(pid, signal.SIGSTOP)
    time.sleep(LEASE * rng.uniform(1.2, 2.0))
    for pid in parts:
        _send(pid, signal.SIGCONT)
    return WORKER_PAUSED


def term_actor(environment: Environment, rng: random.Random) -> str:
    """A warm or a cold shutdown, or an interrupt."""
    actor = environment.choose(rng, rng.choice(ROLES))
    number = rng.choice((signal.SIGTERM, signal.SIGQUIT, signal.SIGINT))
    _send(actor.process.pid, number)
    return f"{number.name} to {actor}"


def term_part(environment: Environment, rng: random.Random) -> str:
    return _to_part(environment, rng, signal.SIGTERM)


SCENARIOS: dict[str, tuple[Fault, ...]] = {
    "kill": (kill_actor, *[kill_part] * 4, kill_pair, kill_one_freeze_other, kill_all_guards),
    "guards": (kill_all_guards,),
    "supervisors": (stop_supervisor,),
    "freeze": (stop_part, stop_supervisor, stop_actor, stop_all_of_a_worker, kill_one_freeze_other),
    "terminate": (term_actor, term_part, term_part),
}
ALONE = ("supervisors", "guards")
#: What strikes one process is more frequent than what strikes all: after that nothing runs for a while.
WEIGHT = 3


def _to_part(environment: Environment, rng: random.Random, number: signal.Signals) -> str:
    part = _part(environment, rng)
    if part is None:
        return "no process to kill"
    name = _name(part)
    _send(part.pid, number)
    return f"{number.name} to {name}"


def _part(environment: Environment, rng: random.Random) -> psutil.Process | None:
    """A pool child, fork server, keeper or command of a worker; each kind is as likely as the others."""
    parts: dict[str, list[psutil.Process]] = {}
    for actor in environment.executing:
        for name, those in _parts(actor).items():
            parts.setdefault(name, []).extend(those)
    return rng.choice(parts[rng.choice(sorted(parts))]) if parts else None


def _parts(worker: Actor) -> dict[str, list[psutil.Process]]:
    found: dict[str, list[psutil.Process]] = {}
    for each in worker.process.children():
        found.setdefault(_name(each), []).append(each)
    found.pop("", None)
    return found


def _name(process: psutil.Process) -> str:
    with suppress(psutil.Error):
        name: str = process.name()
        return name if name in PRODUCT_PROCESSES else POOL_CHILD
    return ""  # it is gone


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
