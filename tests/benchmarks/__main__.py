"""``python -m tests.benchmarks NAME [--json]``: starts its own servers, and prints what it measured."""

from __future__ import annotations

import argparse

from tests.benchmarks import beat, clean, counts, fleet, measuring, modules, output, pages, peers, report, run, tick

BENCHMARKS = {
    "tick": tick,
    "run": run,
    "beat": beat,
    "clean": clean,
    "counts": counts,
    "fleet": fleet,
    "modules": modules,
    "output": output,
    "pages": pages,
    "peers": peers,
    "report": report,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    names = parser.add_subparsers(dest="name", required=True, metavar="NAME")
    for name, benchmark in BENCHMARKS.items():
        own = names.add_parser(name, help=benchmark.__doc__, description=benchmark.__doc__)
        own.add_argument("--json", action="store_true", help="one JSON object per line instead of a table")
        benchmark.arguments(own)
    options = parser.parse_args()
    measuring.show(BENCHMARKS[options.name].rows(options), as_json=options.json)


if __name__ == "__main__":
    main()
