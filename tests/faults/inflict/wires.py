"""Faults of the wires between an actor and its servers: cut, torn in the middle of a word, slow, deaf one way.

Each wire is a proxy on loopback, so neither root nor network namespaces are needed. Where there is root, one worker has
a network of its own besides, whose packets get lost: connections then survive, or time out, as the kernel sees fit.
"""

from __future__ import annotations

import random
import time
from typing import Any

from tests.faults.actors import Actor
from tests.faults.stage import LEASE, Fault, Stage
from tests.servers import Way

#: Nothing comes through; or only answers, or only questions do not; or the peer is gone and says so.
CUTS: dict[str, dict[str, Any]] = {
    "frozen": {"mode": "freeze"},
    "questions frozen": {"mode": "freeze", "way": "up"},
    "answers frozen": {"mode": "freeze", "way": "down"},
    "reset": {"mode": "reset"},
}
SLOW_SECONDS = 5.0


def cut_database(stage: Stage, dice: random.Random) -> str:
    return _cut(stage, dice, "database")


def cut_broker(stage: Stage, dice: random.Random) -> str:
    return _cut(stage, dice, "broker")


def cut_both(stage: Stage, dice: random.Random) -> str:
    """As when the host's own network is gone."""
    return _cut(stage, dice, "broker", "database")


def lose_packets(stage: Stage, dice: random.Random) -> str:
    actor = next((actor for actor in stage.actors if actor.network is not None), None)
    if actor is None or actor.network is None:
        return "nobody has a network of its own"
    way = dice.choice(list(Way))
    with stage.alone("network"):
        actor.network.cut(way)
        time.sleep(LEASE * dice.uniform(0.2, 2.5))
        actor.network.mend()
    return f"packets lost in a namespace ({way.value})"


def tear_statement(stage: Stage, dice: random.Random) -> str:
    """A connection ends in the middle of a statement or of an answer, wherever that is; so does the next one."""
    actor, wire = dice.choice(stage.actors), dice.choice(("database", "database", "broker"))
    way = dice.choice(("up", "down"))
    after = int(10 ** dice.uniform(0, 4))
    return _while(stage, actor, [wire], dice.uniform(1.0, LEASE), f"torn ({way})", mode="cut", way=way, after=after)


def lose_commits(stage: Stage, dice: random.Random) -> str:
    """The database commits, and whoever asked for it never hears."""
    actor = dice.choice(stage.actors)
    return _while(stage, actor, ["database"], dice.uniform(0.5, LEASE), "answers to commits lost", mode="lose_commit")


def slow_answers(stage: Stage, dice: random.Random) -> str:
    """Each answer takes a while: some more than a heartbeat, some nearly as long as the lease."""
    actor, delay = dice.choice(stage.actors), dice.choice((0.2, 1.0, 2.0, SLOW_SECONDS))
    seconds = max(LEASE, 2 * delay)
    return _while(
        stage, actor, ["database"], seconds, f"answers {delay:g} s late", mode="slow", way="down", delay=delay
    )


def slow_everything(stage: Stage, dice: random.Random) -> str:
    """A database that takes five seconds for each statement, whoever asks."""
    wires = [actor.wires["database"] for actor in stage.actors if "database" in actor.wires]
    for wire in wires:
        wire.set("slow", way="down", delay=SLOW_SECONDS)
    time.sleep(LEASE * dice.uniform(1.0, 3.0))
    for wire in wires:
        wire.set("pass")
    return f"every statement {SLOW_SECONDS:g} s slow for everyone" if wires else "no wires to slow down"


SCENARIOS: dict[str, tuple[Fault, ...]] = {
    "partition": (cut_database, cut_broker, cut_both, lose_packets),
    "torn": (tear_statement,),
    "lost-commits": (lose_commits,),
    "slow": (slow_answers, slow_everything),
}


def _cut(stage: Stage, dice: random.Random, *wires: str) -> str:
    """Now for a moment, now for longer than the lease."""
    how = dice.choice(list(CUTS))
    return _while(stage, dice.choice(stage.actors), wires, LEASE * dice.uniform(0.2, 2.0), how, **CUTS[how])


def _while(stage: Stage, actor: Actor, names: Any, seconds: float, what: str, **how: Any) -> str:
    wires = [actor.wires[name] for name in names if name in actor.wires]
    to = " and ".join(names)
    if not wires:
        return f"no wire to the {to}"
    before = sum(wire.broken for wire in wires)
    for wire in wires:
        wire.set(**how)
    time.sleep(seconds)
    for wire in wires:
        wire.set("pass")
    if how["mode"] in ("cut", "lose_commit") and sum(wire.broken for wire in wires) == before:
        return f"{actor.role} to {to}: {what}, if anything had been said"
    return f"{actor.role} to {to}: {what}"
