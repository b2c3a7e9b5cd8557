"""The program ``chroniker-alive``: whether a beat, cronserver or worker of this host still works. For probes.

It reads small files, and neither Django's settings nor the database: restarting a process does not repair a database.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from chroniker.default_settings import default_runtime_dir
from chroniker.process.alive_file import PROCESS_KINDS, seconds_since_last_loop

RUNTIME_DIR_VARIABLE = "CHRONIKER_RUNTIME_DIR"

DESCRIPTION = """Ends with status 0 if a process of this kind has worked within the last seconds, else with status 1.

  chroniker-alive beat
  chroniker-alive worker --max-age 120"""


def main(words: Sequence[str] | None = None) -> None:
    arguments = make_parser().parse_args(words)
    problem = find_liveness_problem(arguments.kind, arguments.max_age, arguments.runtime_dir)
    if problem:
        print(problem, file=sys.stderr)
    sys.exit(1 if problem else 0)


def make_parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="chroniker-alive", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("kind", choices=PROCESS_KINDS)
    made.add_argument(
        "--max-age",
        type=_parse_positive_seconds,
        default=60.0,
        metavar="SECONDS",
        help="how long ago its last loop may be (default: %(default)g)",
    )
    made.add_argument(
        "--runtime-dir",
        type=Path,
        default=Path(os.environ.get(RUNTIME_DIR_VARIABLE) or default_runtime_dir()),
        metavar="DIR",
        help=f"CHRONIKER_RUNTIME_DIR of the settings (default: the variable {RUNTIME_DIR_VARIABLE}, else %(default)s)",
    )
    return made


def find_liveness_problem(kind: str, max_age: float, directory: Path) -> str:
    """The problem, as a sentence; empty if one of these processes works."""
    known = seconds_since_last_loop(directory, kind)
    if not known:
        return f"No {kind} has written a file in {directory}. Is that its CHRONIKER_RUNTIME_DIR?"
    name, age = min(known.items(), key=lambda row: row[1])
    if age <= max_age:
        return ""
    when = f"{age:.0f} s ago" if age < float("inf") else "before this machine was started"
    return f"{name.replace('-', ' with the process id ')} last worked {when}."


def _parse_positive_seconds(text: str) -> float:
    seconds = float(text)
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError("give seconds, more than 0")
    return seconds
