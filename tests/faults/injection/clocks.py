"""Faults of clocks: of one host, of the database. Monotonic clocks stay right, as they do when a clock is set."""

from __future__ import annotations

import random
import time

from tests.faults.environment import LEASE, Environment, Fault

HOUR = 3600.0
#: Nothing starts for one lease after either jump; claimed runs should start before their start deadline.
BETWEEN_JUMPS = 4 * LEASE


def host_is_off(environment: Environment, rng: random.Random) -> str:
    """One host is an hour ahead or behind."""
    if environment.host_clock is None:
        return "no host's clock to set"
    offset = rng.choice((HOUR, -HOUR))
    with environment.exclusive("host clock"):
        environment.host_clock.set(offset)
        time.sleep(LEASE * rng.uniform(0.5, 3.0))
        environment.host_clock.set(0)
    return f"one host {'an hour ahead' if offset > 0 else 'an hour behind'}"


def host_jumps(environment: Environment, rng: random.Random) -> str:
    if environment.host_clock is None:
        return "no host's clock to set"
    with environment.exclusive("host clock"):
        for _jump in range(rng.randint(3, 8)):
            environment.host_clock.set(rng.uniform(-HOUR, HOUR))
            time.sleep(rng.uniform(0.5, 2.5))
        environment.host_clock.set(0)
    return "one host's clock jumped to and fro"


def database_jumps_ahead(environment: Environment, rng: random.Random) -> str:
    """For less than a lease: a database that stays ahead is believed, and then everything has run for the next hour."""
    return _jump(environment, HOUR, LEASE * rng.uniform(0.2, 0.7), "an hour ahead")


def database_jumps_back(environment: Environment, rng: random.Random) -> str:
    return _jump(environment, -HOUR, LEASE * rng.uniform(0.2, 2.0), "an hour back")


def _jump(environment: Environment, offset: float, seconds: float, where: str) -> str:
    if environment.database_clock is None:
        return "no database's clock to set"
    with environment.exclusive("database clock", rest=BETWEEN_JUMPS):
        environment.database_clock.set(offset)
        time.sleep(seconds)
        environment.database_clock.set(0)
    return f"the database's clock jumped {where}, and returned"


SCENARIOS: dict[str, tuple[Fault, ...]] = {
    "host-clock": (host_is_off, host_jumps),
    "database-clock": (database_jumps_ahead, database_jumps_back),
}
#: Nothing starts for a lease after each jump, and a clock that jumps cannot measure how early or late a run was lost:
#: in the mix it would hide the effects of the other faults.
ALONE = ("database-clock",)
