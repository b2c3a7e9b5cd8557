"""Faults of the connections between an actor and its servers: frozen, reset, ended within a message, slow.

Each connection goes through a proxy on loopback, so neither root nor network namespaces are needed. With root rights
one worker has a network namespace, in which packets get lost: connections then survive or time out.
"""

from __future__ import annotations

import random
import time
from typing import Any

from tests.faults.actors import Actor
from tests.faults.environment import LEASE, Environment, Fault
from tests.support.servers import Way

#: No data passes; no requests pass; no answers pass; or the connection is reset.
CUTS: dict[str, dict[str, Any]] = {
    "frozen": {"mode": "freeze"},
    "requests frozen": {"mode": "freeze", "way": "up"},
    "answers frozen": {"mode": "freeze", "way": "down"},
    "reset": {"mode": "reset"},
}
SLOW_SECONDS = 5.0


def cut_database(environment: Environment, rng: random.Random) -> str:
    return _cut(environment, rng, "database")


def cut_broker(environment: Environment, rng: random.Random) -> str:
    return _cut(environment, rng, "broker")


def cut_both(environment: Environment, rng: random.Random) -> str:
    """Like a host without network."""
    return _cut(environment, rng, "broker", "database")


def lose_packets(environment: Environment, rng: random.Random) -> str:
    actor = next((actor for actor in environment.actors if actor.network is not None), None)
    if actor is None or actor.network is None:
        return "no actor has a network of its own"
    way = rng.choice(list(Way))
    with environment.exclusive("network"):
        actor.network.cut(way)
        time.sleep(LEASE * rng.uniform(0.2, 2.5))
        actor.network.restore()
    return f"packets lost in a namespace ({way.value})"


def tear_statement(environment: Environment, rng: random.Random) -> str:
    """A connection ends after a random number of bytes, within a statement or an answer. So do the next ones."""
    actor, proxy = rng.choice(environment.actors), rng.choice(("database", "database", "broker"))
    way = rng.choice(("up", "down"))
    after = int(10 ** rng.uniform(0, 4))
    return _while(
        environment, actor, [proxy], rng.uniform(1.0, LEASE), f"torn ({way})", mode="cut", way=way, after=after
    )


def lose_commits(environment: Environment, rng: random.Random) -> str:
    """The database commits, and the client does not receive the answer."""
    actor = rng.choice(environment.actors)
    return _while(
        environment, actor, ["database"], rng.uniform(0.5, LEASE), "answers to commits lost", mode="lose_commit"
    )


def slow_answers(environment: Environment, rng: random.Random) -> str:
    """Each answer is late: in some trials by more than a heartbeat, in others by nearly the length of a lease."""
    actor, delay = rng.choice(environment.actors), rng.choice((0.2, 1.0, 2.0, SLOW_SECONDS))
    seconds = max(LEASE, 2 * delay)
    return _while(
        environment, actor, ["database"], seconds, f"answers {delay:g} s late", mode="slow", way="down", delay=delay
    )


def slow_everything(environment: Environment, rng: random.Random) -> str:
    """The database takes five seconds for each statement of each client."""
    proxies = [actor.proxies["database"] for actor in environment.actors if "database" in actor.proxies]
    for proxy in proxies:
        proxy.set("slow", way="down", delay=SLOW_SECONDS)
    time.sleep(LEASE * rng.uniform(1.0, 3.0))
    for proxy in proxies:
        proxy.set("pass")
    return f"every statement {SLOW_SECONDS:g} s slow for all actors" if proxies else "no proxies to slow down"


SCENARIOS: dict[str, tuple[Fault, ...]] = {
    "partition": (cut_database, cut_broker, cut_both, lose_packets),
    "torn": (tear_statement,),
    "lost-commits": (lose_commits,),
    "slow": (slow_answers, slow_everything),
}


def _cut(environment: Environment, rng: random.Random, *proxies: str) -> str:
    """For a random time: from a part of the lease to twice its length."""
    how = rng.choice(list(CUTS))
    return _while(environment, rng.choice(environment.actors), proxies, LEASE * rng.uniform(0.2, 2.0), how, **CUTS[how])


def _while(environment: Environment, actor: Actor, names: Any, seconds: float, what: str, **how: Any) -> str:
    proxies = [actor.proxies[name] for name in names if name in actor.proxies]
    to = " and ".join(names)
    if not proxies:
        return f"no proxy to the {to}"
    before = sum(proxy.broken for proxy in proxies)
    for proxy in proxies:
        proxy.set(**how)
    time.sleep(seconds)
    for proxy in proxies:
        proxy.set("pass")
    if how["mode"] in ("cut", "lose_commit") and sum(proxy.broken for proxy in proxies) == before:
        return f"{actor.role} to {to}: {what}, but no data was sent meanwhile"
    return f"{actor.role} to {to}: {what}"
