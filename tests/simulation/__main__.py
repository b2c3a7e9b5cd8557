"""``python -m tests.simulation --seeds 0:100``: run the product's code in a simulated world, one history per seed.

A seed with a violation is shrunk: the faults that are enough, and the history with them, are printed. ``--verbose``
prints whole histories. ``--save`` adds the seed to seeds.txt, whose seeds are repeated before each merge; this is for
seeds without other options. ``--replay`` runs each seed twice and compares the digests of all events.

``--explore SCENE`` tries every place of one interruption in a short history (``all``: every scene), with ``--pairs`` of
two: at one of the first statements of each of two processes. ``--mutate NAME`` removes one safeguard first; the exit
status is then 0 only if a violation was found.
"""

from __future__ import annotations

import argparse
import os
import sys
import time


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulation", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", default="0:20", metavar="A:B", help="from A up to, not including, B")
    parser.add_argument("--save", action="store_true", help="add seeds with a violation to seeds.txt")
    parser.add_argument("--saved", action="store_true", help="the seeds of seeds.txt: each once had a violation")
    parser.add_argument("--seconds", type=float, default=60.0, help="virtual seconds with faults")
    parser.add_argument("--budget", type=float, default=float("inf"), help="start no history after so many seconds")
    parser.add_argument("--calm", action="store_true", help="no faults")
    parser.add_argument("--faults", nargs="*", help="these faults of processes and hosts in each history; not drawn")
    parser.add_argument("--actions", nargs="*", help="these actions of people in each history; not drawn")
    parser.add_argument("--rates", nargs="*", default=[], metavar="NAME=RATE", help="of faults at statements")
    parser.add_argument("--lock-files", action="store_true", help="one host, where lock files decide")
    parser.add_argument("--explore", metavar="SCENE", help="name of a scene, or: all")
    parser.add_argument("--pairs", action="store_true", help="with --explore: every pair of delays and deaths")
    parser.add_argument("--mutate", metavar="NAME", default="", help="name of a mutation, or: all (prints a table)")
    parser.add_argument("--postgres", action="store_true", help="a real server instead of SQLite in memory")
    parser.add_argument("--replay", action="store_true", help="run each seed twice and compare")
    parser.add_argument("--list", action="store_true", help="list scenes and mutations")
    parser.add_argument("--digests", action="store_true", help="print the digest of each seed")
    parser.add_argument("--verbose", action="store_true", help="print each history")
    return parser.parse_args()


def main() -> int:
    if os.environ.get("PYTHONHASHSEED") != "0":  # sets would be iterated in another order in each process
        environ = {**os.environ, "PYTHONHASHSEED": "0"}
        os.execve(sys.executable, [sys.executable, "-m", "tests.simulation", *sys.argv[1:]], environ)
    options = arguments()
    from tests.simulation import command_line

    return command_line.run(options, time.monotonic())


if __name__ == "__main__":
    sys.exit(main())
