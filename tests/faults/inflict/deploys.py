"""Two versions of the code at once: each process in turn is ended, warm or cold, and starts from another directory."""

from __future__ import annotations

import random
import signal
import time
from contextlib import suppress

import psutil

from tests.faults.actors import Actor, release
from tests.faults.stage import Fault, Stage

PATIENCE = 15.0  #: as ``docker stop`` has it: then SIGKILL


def roll(stage: Stage, dice: random.Random) -> str:
    """Alone: who deploys does so once at a time."""
    if not stage.deploying.acquire(blocking=False):
        return "a deploy was going on"
    try:
        stage.releases += 1
        code = release(stage.directory, stage.releases)
        how = dice.choice(("warm", "cold"))
        for actor in dice.sample(stage.actors, len(stage.actors)):
            actor.use(code)
            _end(actor, signal.SIGQUIT if how == "cold" and actor.role == "worker" else signal.SIGTERM)
            if stage.over.wait(0.5):
                return f"part of a deploy, workers ended {how}"
        return f"a deploy, workers ended {how}"
    finally:
        stage.deploying.release()


def _end(actor: Actor, number: signal.Signals) -> None:
    """Returns when the process is gone; it is started again by who looks after it."""
    with suppress(psutil.NoSuchProcess, ProcessLookupError):
        process = psutil.Process(actor.process.pid)
        process.send_signal(number)
        until = time.monotonic() + PATIENCE
        while actor.process.running() and time.monotonic() < until:
            time.sleep(0.1)
        process.kill()  # its own, not its successor's: psutil compares when they began


SCENARIOS: dict[str, tuple[Fault, ...]] = {"deploy": (roll,)}
