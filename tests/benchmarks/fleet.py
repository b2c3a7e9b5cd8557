"""``fleet``: the renewals and reports of a large fleet against one PostgreSQL, through the code of the workers.

Nothing is executed: processes of the benchmark play the workers. Each worker has one session of the database.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import ExitStack

from tests.benchmarks import installation
from tests.benchmarks.measuring import Row
from tests.support.servers import PgBouncerServer

#: Sessions of the benchmark itself.
OTHER_SESSIONS = 100


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--workers", type=int, default=1_000)
    parser.add_argument("--slots", type=int, default=8, help="open runs of each worker")
    parser.add_argument("--seconds", type=float, default=30, help="how long each way to renew is played")
    parser.add_argument("--runs", type=int, default=1_000, help="runs that are started, with output, and finished")
    parser.add_argument("--processes", type=int, default=2, help="that play the workers")
    parser.add_argument("--threads", type=int, default=8, help="of each of them")
    parser.add_argument("--settle", type=float, default=11, help="seconds until the server has counted all it did")
    parser.add_argument("--bouncer", action="store_true", help="PgBouncer stands between workers and PostgreSQL")


def rows(options: argparse.Namespace) -> Iterator[Row]:
    """One row for each way to renew, one for starts and ends of runs."""
    clients = options.workers + OTHER_SESSIONS
    with ExitStack() as stack:
        stack.enter_context(installation.running("postgres", executor="dummy", sessions=clients))
        # Django is set up by now.
        from tests.benchmarks import fleet_renewals, fleet_runs, fleet_sessions

        port = None
        if options.bouncer:
            bouncer = PgBouncerServer(int(os.environ["CHRONIKER_TEST_DB_PORT"]), clients=clients)
            port = stack.enter_context(bouncer).port
        head = {"benchmark": "fleet", "workers": options.workers, "bouncer": options.bouncer}
        played_by = fleet_sessions.PlayedBy(options.processes, options.threads, port, options.settle)
        fleet = fleet_renewals.Fleet(options.workers, options.slots, played_by)
        for way in fleet_renewals.WAYS:
            yield {**head, **fleet.renew(way, options.seconds)}
        jobs = options.workers * options.slots
        yield {**head, **fleet_runs.reports(jobs, min(options.runs, jobs // 2), played_by)}
