"""Shrinks a history with a violation to few faults that still cause it, and prints these events.

Faults and actions are known by their kind and by the number of the opportunity. A history without some of them
differs from there on, so a smaller list is kept only if the same promise is violated again.
"""

from __future__ import annotations

from collections.abc import Sequence

from tests.simulation.conditions import Fault
from tests.simulation.random_history import Options, RandomHistory
from tests.simulation.world import World

MOST_TRIES = 80
#: Events that say little about how a violation came about.
QUIET = ("commit:", "write:")


def promise(world: World) -> str:
    """The promise that was violated first; of an unexpected error, its kind."""
    if world.violations:
        return world.violations[0].partition(":")[0]
    return world.errors[0].strip().splitlines()[-1].partition(":")[0] if world.errors else ""


def shrink(seed: int, options: Options, world: World) -> tuple[World, list[Fault]]:
    """The history with the fewest faults that was found, and these faults."""
    wanted, best, faults = promise(world), world, list(world.fired)
    parts, tries = 2, 0
    while faults and tries < MOST_TRIES:
        for left in _without_one_part(faults, parts):
            tries += 1
            found = RandomHistory(seed, options, left).run()
            if promise(found) == wanted:
                best, faults, parts = found, found.fired, max(parts - 1, 2)
                break
        else:
            if parts >= len(faults):
                break
            parts = min(parts * 2, len(faults))
    return best, faults


def _without_one_part(faults: Sequence[Fault], parts: int) -> list[list[Fault]]:
    size = -(-len(faults) // parts)
    return [[*faults[:low], *faults[low + size :]] for low in range(0, len(faults), size)]


def show(seed: int, options: Options, world: World) -> None:
    """Print the shrunk history: its faults, and the events around the violation."""
    best, faults = shrink(seed, options, world)
    print(f"\nseed {seed}: {len(faults)} of {len(world.fired)} faults and actions are enough:")
    print("".join(f"  {kind}, opportunity {number}\n" for kind, number in faults), end="")
    for line in readable(best):
        print(f"  {line}")
    for text in [*best.violations, *best.errors]:
        print(f"  ** {text}")


def readable(world: World) -> list[str]:
    """The events of a history up to its first violation, without those that say little."""
    lines = []
    for line in world.history:
        _time, _space, event = line.strip().partition("  ")
        nothing = event.startswith("tick:") and "claimed 0 lost 0" in event
        if not event.startswith(QUIET) and not nothing:
            lines.append(line)
        if event.startswith("VIOLATION"):
            break
    return lines
