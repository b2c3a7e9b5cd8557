"""Faults of a random history: at statements and messages by probability, of processes and hosts at random moments."""

from __future__ import annotations

from tests.simulation import features
from tests.simulation.guards import guards_of
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
OF_PROCESSES = (
    "kill supervisor",
    "kill keeper",
    "kill command",
    "kill fork server",
    "kill worker",
    "kill scheduler",
    "kill guards",
    "stop supervisor",
    "stop scheduler",
)
JUMPS = ("clock jump", "failover")
OF_HOSTS = ("cut host", *JUMPS, "reboot", "copy")


def strike(world: World, kind: str, lease: float) -> None:
    """One fault now, of a process or host that the seed chooses."""
    verb, _space, role = kind.partition(" ")
    if kind in OF_PROCESSES:
        role = "supervisor" if role == "guards" else role
        victims = [each for each in world.processes.values() if each.role == role]
        if victims and kind == "kill guards":
            kill_guards(world, world.rng.choice(victims))
        elif victims:
            _strike_process(world, verb, world.rng.choice(victims), lease)
    else:
        _strike_host(world, kind, lease)


def _strike_process(world: World, verb: str, victim: Process, lease: float) -> None:
    world.note("fault", verb, victim.name)
    if verb == "kill":
        victim.kill()
    else:
        victim.paused_until = world.now + world.rng.uniform(1, 2 * lease)


def kill_guards(world: World, supervisor: Process) -> None:
    """All guards of a run at once. The processes that the command started survive."""
    world.note("fault", "kill all guards of", supervisor.name)
    marked = [each.marker for guard in guards_of(supervisor) for each in guard.descendants() if each.marker]
    for guard in guards_of(supervisor):
        guard.kill()
    if any(each.marker in marked for each in world.processes.values()):
        world.note("a process survives without guards")


def _strike_host(world: World, kind: str, lease: float) -> None:
    rng = world.rng
    host = rng.choice(list(world.hosts.values()))
    if _is_beyond_the_limits(world, kind, lease):
        return
    world.note("fault", kind, host.name)
    if kind == "cut host":
        host.unreachable_until = world.now + rng.uniform(1, 2 * lease)
    elif kind == "clock jump":
        world.jump(rng.choice([-60, -20, -2, 2, 20, 60, 300]))
    elif kind == "failover":
        fail_over(world)
        world.jump(rng.choice([0, 0, 1.5, -1.5, 20]))
    elif kind == "reboot":
        host.reboot()
    elif kind == "copy":
        features.copy_database(world)


def _is_beyond_the_limits(world: World, kind: str, lease: float) -> bool:
    """The documentation promises nothing when a host has just booted and the clock jumps before it has read it."""
    if kind == "reboot":
        return world.now < world.jumped_at + 3 * lease
    return kind in JUMPS and any(host.clock_state is None for host in world.hosts.values())


def fail_over(world: World) -> None:
    """Another server answers, with all that was committed."""
    number = int(world.database_server[-1]) + 1
    world.database_server = f"cluster:0000000{number % 10}"
