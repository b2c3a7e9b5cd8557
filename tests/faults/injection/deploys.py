"""Two versions of the code at once: each process in turn is ended, warm or cold, and starts from another directory."""

from __future__ import annotations

import random
import signal
import time
from contextlib import suppress

import psutil

from tests.faults.actors import Actor, copy_release
from tests.faults.environment import Environment, Fault

TIMEOUT = 15.0  #: as ``docker stop`` has it: then SIGKILL


def roll(environment: Environment, rng: random.Random) -> str:
    """Alone: one deploy at a time."""
    if not environment.deploying.acquire(blocking=False):
        return "a deploy was going on"
    try:
        environment.releases += 1
        code = copy_release(environment.directory, environment.releases)
        how = rng.choice(("warm", "cold"))
        for actor in rng.sample(environment.actors, len(environment.actors)):
            actor.use_release(code)
            _end(actor, signal.SIGQUIT if how == "cold" and actor.role == "worker" else signal.SIGTERM)
            if environment.over.wait(0.5):
                return f"part of a deploy, workers ended {how}"
        return f"a deploy, workers ended {how}"
    finally:
        environment.deploying.release()


def _end(actor: Actor, number: signal.Signals) -> None:
    """Returns when the process is gone; its owner starts it again."""
    with suppress(psutil.NoSuchProcess, ProcessLookupError):
        process = psutil.Process(actor.process.pid)
        process.send_signal(number)
        until = time.monotonic() + TIMEOUT
        while actor.process.running() and time.monotonic() < until:
            time.sleep(0.1)
        process.kill()  # its own, not its successor's: psutil compares when they began


SCENARIOS: dict[str, tuple[Fault, ...]] = {"deploy": (roll,)}
