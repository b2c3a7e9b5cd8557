"""``pages``: the time of each page of the console on the server, with many jobs and runs, on PostgreSQL."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from tests.benchmarks.installation import running
from tests.benchmarks.measuring import Row, Stopwatch, counted_statements, load, milliseconds, processor_seconds


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--jobs", type=int, default=100_000)
    parser.add_argument("--runs-each", type=int, default=30, help="runs of each job (default: 30)")
    parser.add_argument("--rounds", type=int, default=5)


def rows(options: argparse.Namespace) -> Iterator[Row]:
    with running("postgres", executor="dummy"):
        from django.contrib.auth.models import User
        from django.test import Client

        from tests.support import many_rows
        from tests.support.console_addresses import addresses

        many_rows.fill(options.jobs, options.runs_each, hours_each=10)
        many_rows.vary(options.jobs)
        client = Client()
        client.force_login(User.objects.create_superuser("root"))
        for name, address in addresses().items():
            yield _measure(client, name, address, options.rounds)


def _measure(client: object, name: str, address: str, rounds: int) -> Row:
    """The health is read again for each request. The first request, which fills caches, is not measured."""
    from chroniker.insights import health_facts

    seconds, busy = [], []
    for _round in range(rounds + 1):
        health_facts.clear_cached_health_facts()
        before = processor_seconds()
        with counted_statements() as statements, Stopwatch() as watch:
            page = client.get(address)  # type: ignore[attr-defined]
        busy.append(processor_seconds() - before)
        seconds.append(watch.seconds)
        assert page.status_code == 200, address
    return {
        "page": name, "cpu ms": milliseconds([min(busy[1:])]), "median ms": milliseconds(seconds[1:]),
        "fastest ms": milliseconds([min(seconds[1:])]), "statements": statements(),
        "kB": len(page.getvalue()) // 1000, "load": load(),
    }  # fmt: skip
