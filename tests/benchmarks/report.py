"""``report``: runs the benchmarks one after the other, and writes their rows into ``docs/performance.md``.

The page is written after each benchmark, so a later failure loses no row. The last rows show how long each one took.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

from tests.benchmarks import growth
from tests.benchmarks.measuring import Row, Stopwatch, figure, load
from tests.support import ROOT
from tests.support.servers import PostgresServer, RedisServer

PAGE, SCALE_PAGE = ROOT / "docs" / "performance.md", ROOT / "docs" / "scale.md"
BEGIN, END = "<!-- measured: {} -->", "<!-- end: {} -->"
#: A benchmark and the servers that it waits for take turns: they keep about one core busy.
OWN_LOAD = 1.0
ONLY_COMMANDS_THAT_DO_NOTHING = ("--megabytes", "0", "--asleep", "0")
#: What is run, in this order: at most 15 minutes on two idle cores.
DAILY = (
    ("counts",),
    ("tick", "--repeat", "5"),
    ("run",),
    ("run", "--bouncer", *ONLY_COMMANDS_THAT_DO_NOTHING),
    ("run", "--database", "mariadb", *ONLY_COMMANDS_THAT_DO_NOTHING),
    ("run", "--database", "sqlite", *ONLY_COMMANDS_THAT_DO_NOTHING),
    ("beat", "--rounds", "5"),
    ("clean", "--jobs", "500", "--runs-each", "20"),
    ("output", "--repeat", "3"),
    ("tick", "--database", "mariadb", "--jobs", "10000", "--due", "0,100", "--repeat", "5"),
    ("tick", "--database", "sqlite", "--jobs", "10000", "--due", "0,100", "--repeat", "5"),
)
#: With a million jobs, and with a million runs: at most an hour.
SCALE = (
    ("tick", "--jobs", "1000000", "--due", "0,100,1000,10000", "--repeat", "3"),
    ("clean", "--jobs", "10000", "--runs-each", "100"),
)
#: The same work by other schedulers: about 20 minutes. Needs a package index.
PEERS = (("peers",),)
#: Each page of the console with 100,000 jobs and 3,000,000 runs: at most 15 minutes.
PAGES = (("pages", "--rounds", "5"),)
#: How the costs grow: at most an hour. The lines through these rows are on the page about scale.
GROWTH = (
    ("tick", "--jobs", "100", "--due", "0", "--repeat", "3"),
    *(("tick", "--jobs", jobs, "--due", "0,100", "--repeat", "3") for jobs in ("1000", "10000", "1000000")),
    ("tick", "--due", "0,1,10,100,1000,10000", "--repeat", "3"),
    *(("tick", "--history", history, "--due", "0,100", "--repeat", "3") for history in ("10000", "300000", "3000000")),
    *(("clean", "--jobs", "1000", "--runs-each", runs) for runs in ("20", "60", "200")),
    ("fleet",),
    ("fleet", "--bouncer"),
)
PARTS = {"daily": DAILY, "scale": SCALE, "peers": PEERS, "pages": PAGES, "growth": GROWTH}


def arguments(parser: argparse.ArgumentParser) -> None:
    part = parser.add_mutually_exclusive_group()
    part.add_argument(
        "--scale", dest="part", action="store_const", const="scale", help="the rows with a million jobs or runs instead"
    )
    part.add_argument("--peers", dest="part", action="store_const", const="peers", help="other schedulers instead")
    part.add_argument("--pages", dest="part", action="store_const", const="pages", help="the console's pages instead")
    part.add_argument("--growth", dest="part", action="store_const", const="growth", help="how the costs grow instead")
    parser.add_argument("--page", type=Path, help="the page to write into")
    parser.add_argument("--only", action="append", metavar="NAME", help="only this benchmark; may be repeated")


def rows(options: argparse.Namespace) -> Iterator[Row]:
    """The rows of all benchmarks as they come. If one fails, the others run all the same, and the end is status 1."""
    part = options.part or "daily"
    page = options.page or (SCALE_PAGE if part == "growth" else PAGE)
    found: list[Row] = []
    times: list[Row] = []
    for words in PARTS[part]:
        if options.only and words[0] not in options.only:
            continue
        benchmark = _Benchmark(words)
        for row in benchmark.rows():
            found.append(row)
            yield row
        times.append(benchmark.time())
        lines = growth.fitted(found) if part == "growth" else []
        _write(page, part, [*lines, *found, *times])
    yield from times
    yield {"minutes": figure(sum(each["minutes"] for each in times))}
    if failed := [each["command"] for each in times if each["ended"] != "complete"]:
        raise SystemExit(f"These benchmarks failed: {', '.join(failed)}.")


class _Benchmark:
    """One benchmark in a process of its own, because Django is set up once in a process."""

    def __init__(self, words: Sequence[str]) -> None:
        self._words, self._status, self._watch = words, 0, Stopwatch()

    def rows(self) -> Iterator[Row]:
        """Those that it printed, also if it failed later."""
        command = [sys.executable, "-m", "tests.benchmarks", *self._words, "--json"]
        with self._watch, subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
            for line in process.stdout or ():
                yield {"benchmark": self._words[0], **json.loads(line)}
        self._status = process.returncode

    def time(self) -> Row:
        ended = f"failed with status {self._status}" if self._status else "complete"
        return {"command": " ".join(self._words), "minutes": figure(self._watch.seconds / 60), "ended": ended}


def _write(page: Path, part: str, found: Sequence[Row]) -> None:
    begin, end = BEGIN.format(part), END.format(part)
    text = page.read_text(encoding="utf-8")
    before, _old, after = re.split(f"({re.escape(begin)}.*?{re.escape(end)})", text, maxsplit=1, flags=re.DOTALL)
    page.write_text(f"{before}{begin}\n\n{_machine()}\n\n{_tables(found)}\n{end}{after}", encoding="utf-8")


def _machine() -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    packages = ", ".join(f"{name} {version(name)}" for name in ("Django", "celery", "psycopg", "redis"))
    servers = ", ".join(_server(kind) for kind in (PostgresServer, RedisServer))
    return (
        f"Measured on {dt.date.today():%Y-%m-%d}: {os.cpu_count()} cores, {memory:.0f} GB, {platform.system()} "
        f"{platform.release()}, Python {platform.python_version()}, {packages}, {servers}. "
        f"Load average at the end: {load()}.{_warning()}"
    )


def _warning() -> str:
    if load() - OWN_LOAD < (os.cpu_count() or 1) / 2:
        return ""
    return (
        " **The machine was busy**: the times are too long, and only counts, ratios and processor times mean something."
    )


def _server(kind: type[PostgresServer] | type[RedisServer]) -> str:
    program = "postgres" if kind is PostgresServer else "redis-server"
    try:
        printed = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return program
    return f"{program} {(re.search(r'[0-9]+[.][0-9.]*', printed) or [''])[0]}"


def _tables(found: Sequence[Row]) -> str:
    """One table for each group of rows with the same columns."""
    parts: list[str] = []
    columns: list[str] = []
    for row in found:
        shown = {name.replace("_", " "): value for name, value in row.items() if name != "executor"}
        if list(shown) != columns:
            columns = list(shown)
            parts += ["", f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
        parts.append(f"| {' | '.join(_cell(value) for value in shown.values())} |")
    return "\n".join(parts[1:]) + "\n"


def _cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
