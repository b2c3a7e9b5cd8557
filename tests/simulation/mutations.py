"""Safeguards that can be removed, to see that some scene reports it.

Each is one replacement in a copy of the source, or a mutation of the fault runner. A text that the source no longer
has is an error: then the mutation has to follow the code.
"""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Collection
from pathlib import Path

from tests.simulation.removals import IMPORTS, REPLACEMENTS

ROOT = Path(__file__).parents[2]


#: Of the fault runner (`tests.faults.mutations`), by name: the scenes that find it.
OF_FAULT_RUNNER = {
    "lease-check": "cut",
    "keeper-deadline": "cut",
    "start-compare-and-set": "doubled-message",
    "unique-lease": "cut",
    "redispatch": "lost-message",
}
#: Those that no scene finds, and why.
NOT_FOUND: dict[str, str] = {}
NAMES = (*REPLACEMENTS, *OF_FAULT_RUNNER)


def scenes_of(name: str) -> str:
    return REPLACEMENTS[name].scenes if name in REPLACEMENTS else OF_FAULT_RUNNER[name]


def options_of(name: str) -> list[str]:
    """The command line that should find it."""
    needs_postgres = name in REPLACEMENTS and REPLACEMENTS[name].postgres
    return ["--mutate", name, "--explore", scenes_of(name), *(["--postgres"] if needs_postgres else [])]


def prepare(name: str) -> None:
    """Before the product is imported: put a changed copy of it first on the path."""
    if name in REPLACEMENTS:
        copy = Path(tempfile.mkdtemp(prefix="chroniker-mutation-"))
        for package in ("chroniker", "chroniker_celery"):
            shutil.copytree(ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
        for file, old, new in changes(name):
            path = copy / "chroniker" / file
            path.write_text(mutated(name, path.read_text(), old, new))
        sys.path.insert(0, str(copy))
        atexit.register(shutil.rmtree, copy, ignore_errors=True)
    elif name and name not in OF_FAULT_RUNNER:
        raise SystemExit(f"there is no mutation {name!r}; there is: {', '.join(NAMES)}")


def changes(name: str) -> list[tuple[str, str, str]]:
    """File, old text, new text."""
    replacement = REPLACEMENTS[name]
    return [(replacement.file, replacement.old, replacement.new), *filter(None, [replacement.also])]


def mutated(name: str, source: str, old: str, new: str) -> str:
    if source.count(old) != 1:
        raise SystemExit(f"mutation {name}: {old!r} is {source.count(old)} times in the source; it has to follow it")
    head = "from __future__ import annotations\n"
    return source.replace(old, new).replace(head, head + IMPORTS.get(name, ""), 1)


def apply(name: str) -> None:
    """After Django is set up."""
    if name in OF_FAULT_RUNNER:
        from tests.faults import mutations

        mutations.apply(name)


def documented(before_merge: Collection[str]) -> str:
    """The table of the documentation: each removal and the scenes that find it, in bold those before a merge."""
    lines = ["| removed | found by |", "|---|---|"]
    for name in sorted(NAMES):
        scenes = [f"**{scene}**" if scene in before_merge else scene for scene in scenes_of(name).split(",")]
        on = " (on PostgreSQL)" if "--postgres" in options_of(name) else ""
        lines.append(f"| `{name}` | {', '.join(scenes)}{on} |")
    return "\n".join(lines)


def table() -> int:
    """Each mutation in a process of its own, in the scenes that should find it. 0: each was found as expected."""
    unexpected = 0
    for name in NAMES:
        scenes = scenes_of(name)
        found = bool(scenes) and _is_found(name)
        unexpected += found is not bool(scenes)
        result = (
            f"found by {scenes}"
            if found
            else "NOT FOUND, against expectation"
            if scenes
            else f"not found: {NOT_FOUND[name]}"
        )
        print(f"{name:<24} {result}", flush=True)
    return int(bool(unexpected))


def _is_found(name: str) -> bool:
    words = [sys.executable, "-m", "tests.simulation", *options_of(name)]
    done = subprocess.run(words, env={**os.environ, "PYTHONHASHSEED": "0"}, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(f"{name}: {done.stdout}{done.stderr}")
    return done.returncode == 0
