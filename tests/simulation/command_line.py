"""What the options of ``python -m tests.simulation`` do."""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from tests.simulation import configure, mutations

if TYPE_CHECKING:
    from tests.simulation.random_history import Options
    from tests.simulation.world import World

SAVED = Path(__file__).with_name("seeds.txt")
#: Events that show how near a history came to a violation.
EXPOSURE = ("tree begins", "run lost", "lost with its tree alive", "killed at a statement", "fault")


def run(options: argparse.Namespace, began: float) -> int:
    if options.list:
        return _list()
    if options.mutate == "all":
        return mutations.table()
    mutations.prepare(options.mutate)
    configure.configure(postgres=options.postgres)
    mutations.apply(options.mutate)
    if options.explore:
        from tests.simulation.exploration import explore

        found = explore(options.explore, stop_early=bool(options.mutate), verbose=options.verbose, pairs=options.pairs)
    else:
        found = [str(seed) for seed in _random_histories(options, began)]
    if options.mutate:
        print(f"{options.mutate}: {'found' if found else 'NOT FOUND'}")
        return int(not found)
    return int(bool(found))


def _list() -> int:
    configure.configure()
    from tests.simulation.scenes import SCENES

    for name, scene in SCENES.items():
        print(f"{name:<24} {scene.__doc__}")
    for name in mutations.NAMES:
        print(f"--mutate {name}")
    return 0


def seeds(options: argparse.Namespace) -> Iterable[int]:
    if options.saved:
        return [int(line.split()[0]) for line in SAVED.read_text().splitlines() if line[:1].isdigit()]
    low, _colon, high = options.seeds.partition(":")
    return range(int(low), int(high or int(low) + 1))


def _random_histories(options: argparse.Namespace, began: float) -> list[int]:
    """The seeds with a violation, an unexpected error, or another digest when replayed."""
    from tests.simulation import shrinking
    from tests.simulation.random_history import RandomHistory

    given = _options(options)
    counts: Counter[str] = Counter()
    bad, processor = [], time.process_time()
    for seed in seeds(options):
        if time.monotonic() - began > options.budget:
            break
        world = RandomHistory(seed, given).run()
        counts.update(world.counts)
        counts.update(histories=1, events=world.events, statements=world.statements)
        if options.replay and RandomHistory(seed, given).run().digest.digest() != world.digest.digest():
            world.violated("replay", "the second run had another history")
        if options.digests:
            print(f"{seed} {world.digest.hexdigest()}")
        if world.violations or world.errors:
            bad.append(seed)
            if options.verbose or options.mutate:
                show(f"seed {seed}", world)
            if not options.verbose:
                shrinking.show(seed, given, world)
            if options.mutate:
                break
            if options.save:
                _save(seed, world)
    _summarize(counts, bad, time.process_time() - processor)
    return bad


def _save(seed: int, world: World) -> None:
    """Add the seed to the file whose seeds are repeated before each merge."""
    what = [*world.violations, *world.errors][0].strip().splitlines()[-1]
    with SAVED.open("a") as file:
        file.write(f"{seed} {what}\n")


def _options(options: argparse.Namespace) -> Options:
    from tests.simulation.random_history import Options

    return Options(
        seconds=options.seconds,
        calm=options.calm,
        faults=None if options.faults is None else tuple(options.faults),
        actions=None if options.actions is None else tuple(options.actions),
        rates={name: float(rate) for name, _equals, rate in (each.partition("=") for each in options.rates)},
        lock_files=options.lock_files,
        verbose=options.verbose,
    )


def show(title: str, world: World) -> None:
    """The end of a history that has a violation, and the violations."""
    print(f"\n{title}:")
    for line in world.history[-60:]:
        print(f"  {line}")
    for text in [*world.violations, *world.errors]:
        print(f"  ** {text}")


def _summarize(counts: Counter[str], bad: list[int], seconds: float) -> None:
    histories = counts["histories"]
    if not histories:
        print("no history was run")
        return
    print(f"{histories} histories in {seconds:.1f} s of processor time, {counts['statements']} statements")
    print("exposure: " + ", ".join(f"{name} {counts[name]}" for name in EXPOSURE))
    if bad:
        print(f"violated in {len(bad)}: {bad}")
    else:
        print(f"no violation: the share of such histories that violate is below {min(1.0, 3 / histories):.3f} (95 %)")
