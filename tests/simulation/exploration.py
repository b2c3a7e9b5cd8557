"""Complete search of small scope: each scene with one interruption, or a pair of them, at every place in turn."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from tests.simulation.scenes import SCENES, Scene

if TYPE_CHECKING:
    from tests.simulation.world import World

MOST_PLACES = 400
#: Of a search of pairs: the interruptions, and how many statements of each of the two processes.
PAIRED = ("delay", "kill")
PLACES_OF_EACH = 20


def explore(names: str, *, stop_early: bool = False, verbose: bool = False, pairs: bool = False) -> list[str]:
    """The places with a violation, of one scene or of ``all``; ``a,b``: of these. ``pairs``: of two interruptions."""
    bad: list[str] = []
    chosen = list(SCENES) if names == "all" else names.split(",")
    for name in chosen:
        if not pairs:
            tried = _single(SCENES[name])
        elif SCENES[name].places is None:
            tried = _pairs(SCENES[name])
        else:
            continue  # it varies a time, and has no statements to interrupt
        situation = "interrupted" if pairs else SCENES[name].situation
        bad += _explore_scene(name, situation, tried, stop_early=stop_early, verbose=verbose)
        if bad and stop_early:
            break
    return bad


def _single(scene: type[Scene]) -> Iterator[tuple[str, World]]:
    """Each place of each fault in turn."""
    for fault in scene.faults:
        for place in range(MOST_PLACES):
            history = scene(place, fault)
            if scene.places is not None and history.exhausted:
                break
            world = history.run()
            if history.exhausted:
                break
            yield f"{fault} at {place}", world


def _pairs(scene: type[Scene]) -> Iterator[tuple[str, World]]:
    """Each pair of a delay or death of one process with a delay or death of the other one, or of itself later."""
    for fault, second in itertools.product(PAIRED, PAIRED):
        for place in range(PLACES_OF_EACH):
            for second_place in range(PLACES_OF_EACH):
                history = scene(place, fault)
                history.second = (second_place, second)
                world = history.run()
                if world.counts.get("interrupted", 0) < 2:
                    break
                yield f"{fault} at {place}, {second} at {second_place}", world
            if not world.counts.get("interrupted", 0):
                break


def _explore_scene(
    name: str, situation: str, histories: Iterable[tuple[str, World]], *, stop_early: bool, verbose: bool
) -> list[str]:
    bad: list[str] = []
    counts: Counter[str] = Counter()
    tried = 0
    for title, world in histories:
        tried += 1
        counts.update(world.counts)
        if world.violations or world.errors:
            bad.append(f"{name}, {title}")
            _show(bad[-1], world, whole=verbose)
            if stop_early:
                return bad
    if not counts[situation]:
        bad.append(f"{name}: the situation {situation!r} was never reached")
        print(bad[-1])
    line = f"{name}: {tried} places, situation reached {counts[situation]} times, {len(bad)} with a violation"
    print(line, flush=True)
    return bad


def _show(title: str, world: World, *, whole: bool) -> None:
    from tests.simulation.command_line import show

    if whole:
        show(title, world)
    else:
        print(f"{title}: {[*world.violations, *world.errors][0]}")
