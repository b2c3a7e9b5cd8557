"""Faults of the wires between an actor and its servers."""

from __future__ import annotations

import random
import time

from tests.faults.stage import LEASE, Fault, Stage


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


def _cut(stage: Stage, dice: random.Random, wire: str) -> str:
    actor = dice.choice(stage.actors)
    if wire not in actor.wires:
        return f"no wire to the {wire}"
    how = dice.choice(("freeze", "reset"))
    actor.wires[wire].set(how)
    time.sleep(LEASE * dice.uniform(0.2, 2.0))
    actor.wires[wire].set("pass")
    return f"{actor.role} cut off from the {wire} ({how})"


SCENARIOS: dict[str, tuple[Fault, ...]] = {
    "database": (cut_database, slow_database),
    "broker": (cut_broker,),
}
