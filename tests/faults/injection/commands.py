"""Faults of the commands themselves: what a job may do to the machine it runs on. Each kills only itself, in time."""

from __future__ import annotations

import random

from tests.faults.environment import Environment, Fault


def bomb(environment: Environment, rng: random.Random) -> str:
    """Processes that fork and fork, each in a session of its own: four at any moment, or two dozen."""
    return _demand("hydra")


def big_bomb(environment: Environment, rng: random.Random) -> str:
    return _demand("horde")


def flood(environment: Environment, rng: random.Random) -> str:
    return _demand(f"flood {1 << 25}")


def big_flood(environment: Environment, rng: random.Random) -> str:
    """One gigabyte, in one line without end, of which the log keeps one megabyte."""
    return _demand(f"flood {1 << 30}")


def murmur(environment: Environment, rng: random.Random) -> str:
    """Output that is never flushed."""
    return _demand("murmur")


def _demand(name: str) -> str:
    from tests.faults import workload

    workload.request_run(name)
    return f"a run of {name!r} was asked for"


SCENARIOS: dict[str, tuple[Fault, ...]] = {
    "commands": (bomb, flood, murmur),
    "bomb": (big_bomb,),
    "flood": (big_flood,),
}
ALONE = ("bomb", "flood")
