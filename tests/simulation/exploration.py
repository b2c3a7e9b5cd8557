"""Complete search of small scope: each scene with its interruption at every place in turn."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from tests.simulation.scenes import SCENES, Scene

if TYPE_CHECKING:
    from tests.simulation.world import World

MOST_PLACES = 400


def explore(names: str, *, stop_early: bool = False, verbose: bool = False) -> list[str]:
    """The places with a violation, of one scene or of ``all``; ``a,b``: of these."""
    bad: list[str] = []
    for name in SCENES if names == "all" else names.split(","):
        bad += explore_scene(name, SCENES[name], stop_early=stop_early, verbose=verbose)
        if bad and stop_early:
            break
    return bad


def explore_scene(name: str, scene: type[Scene], *, stop_early: bool, verbose: bool) -> list[str]:
    bad: list[str] = []
    counts: Counter[str] = Counter()
    tried = 0
    for fault in scene.faults:
        for place in range(MOST_PLACES):
            history = scene(place, fault)
            if scene.places is not None and history.exhausted:
                break
            world = history.run()
            if history.exhausted:
                break
            tried += 1
            counts.update(world.counts)
            if world.violations or world.errors:
                bad.append(f"{name}, {fault} at {place}")
                _show(bad[-1], world, whole=verbose)
                if stop_early:
                    return bad
    if not counts[scene.situation]:
        bad.append(f"{name}: the situation {scene.situation!r} was never reached")
        print(bad[-1])
    print(f"{name}: {tried} places, situation reached {counts[scene.situation]} times, {len(bad)} with a violation")
    return bad


def _show(title: str, world: World, *, whole: bool) -> None:
    from tests.simulation.command_line import show

    if whole:
        show(title, world)
    else:
        print(f"{title}: {[*world.violations, *world.errors][0]}")
