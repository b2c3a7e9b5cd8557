"""Removes each safeguard in turn, in the scenario that needs it most: the checker must report violations each time."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

#: By safeguard: where its absence shows, for how long, and by which figures (any of them).
TRIALS: dict[str, tuple[str, float, frozenset[str]]] = {
    "lease-check": ("none", 0.3, frozenset({"runs_lost_early", "overlapping"})),
    "unique-lease": ("none", 0.25, frozenset({"overlapping"})),
    "start-compare-and-set": ("replay", 0.6, frozenset({"overlapping", "executed_beyond_runs"})),
    "keeper-deadline": ("supervisors", 1.5, frozenset({"overlapping", "fenced_without_lease"})),
    "redispatch": ("lost-messages", 1.0, frozenset({"claims_not_taken", "runs_left_open"})),
}
JOBS = 44
#: On SQLite a file lock decides, not the lease.
OF_LEASES = ("lease-check", "keeper-deadline")


def main(database: str, broker: str, seed: int, *, as_json: bool) -> int:
    found = {}
    for name in TRIALS:
        if database == "sqlite" and name in OF_LEASES:
            continue
        found[name] = trial(name, database, broker, seed)
        print(f"without {name}: {found[name] or 'NOT FOUND'}", file=sys.stderr, flush=True)
    if as_json:
        print(
            json.dumps({"caught": {name: bool(violations) for name, violations in found.items()}, "violations": found}),
            flush=True,
        )
    else:
        for name, violations in found.items():
            print(f"without {name:<24} {'caught by ' + str(violations) if violations else 'NOT FOUND'}")
    return 0 if all(found.values()) else 1


def trial(name: str, database: str, broker: str, seed: int) -> dict[str, float]:
    """The expected violations that were counted; empty: none."""
    scenario, minutes, expected = TRIALS[name]
    words = ["--without", name, "--scenario", scenario, "--minutes", str(minutes), "--jobs", str(JOBS)]
    words += ["--database", database, "--broker", broker, "--seed", str(seed), "--json"]
    with subprocess.Popen([sys.executable, "-m", "tests.faults", *words], stdout=subprocess.PIPE, text=True) as child:
        try:
            output, _nothing = child.communicate()
        except BaseException:
            child.terminate()  # not killed: it has processes of its own to clear away
            raise
    if child.returncode not in (0, 1) or not output:
        raise SystemExit(f"{' '.join(words)} ended with {child.returncode}")
    report: dict[str, Any] = json.loads(output)
    return {goal: count for goal, count in report["violations"].items() if count and goal in expected}
