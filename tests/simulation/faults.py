"""Faults of a random history: at statements and messages by probability, of processes and hosts at random moments."""

from __future__ import annotations

from tests.simulation.processes import Process
from tests.simulation.world import World

#: By kind, the probability at each opportunity.
AT_STATEMENTS = {
    "kill at statement": 0.002,
    "kill in transaction": 0.004,
    "kill at commit": 0.01,
    "kill after commit": 0.01,
    "kill in dispatch": 0.02,
    "commit fails": 0.01,
    "answer lost": 0.01,
    "statement fails": 0.003,
    "slow": 0.01,
    "slow in transaction": 0.003,
    "message lost": 0.1,
    "message twice": 0.3,
    "message late": 0.1,
    "broker down": 0.05,
}
OF_PROCESSES = ("kill supervisor", "kill keeper", "kill command", "kill scheduler", "stop supervisor", "stop scheduler")
OF_HOSTS = ("cut host", "clock jump", "failover", "reboot")


def strike(world: World, kind: str, lease: float) -> None:
    """One fault now, of a process or host that the seed chooses."""
    verb, _space, role = kind.partition(" ")
    if kind in OF_PROCESSES:
        victims = [each for each in world.processes.values() if each.role == role]
        if victims:
            _strike_process(world, verb, world.rng.choice(victims), lease)
    else:
        _strike_host(world, kind, lease)


def _strike_process(world: World, verb: str, victim: Process, lease: float) -> None:
    world.note("fault", verb, victim.name)
    if verb == "kill":
        victim.kill()
    else:
        victim.paused_until = world.now + world.rng.uniform(1, 2 * lease)


def _strike_host(world: World, kind: str, lease: float) -> None:
    rng = world.rng
    host = rng.choice(list(world.hosts.values()))
    world.note("fault", kind, host.name)
    if kind == "cut host":
        host.unreachable_until = world.now + rng.uniform(1, 2 * lease)
    elif kind == "clock jump":
        world.database_offset += rng.choice([-60, -20, -2, 2, 20, 60, 300])
        world.clock_jumped = True
    elif kind == "failover":
        fail_over(world)
        world.database_offset += rng.choice([0, 0, 1.5, -1.5, 20])
        world.clock_jumped = True
    elif kind == "reboot":
        host.reboot()


def fail_over(world: World) -> None:
    """Another server answers, with all that was committed."""
    number = int(world.database_server[-1]) + 1
    world.database_server = f"cluster:0000000{number % 10}"
