"""Processor time of a worker and its database server, by group of processes."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress

import psutil
from django.db import connection

from tests.support.celery_processes import CeleryWorker

FORK_SERVER = "chroniker-fork"


def processor_time(worker: CeleryWorker) -> dict[str, float]:
    """Seconds of user and system time so far, with those of children that have ended and were collected.

    Groups: the server (PostgreSQL alone), the fork server and all below it, the processes of the pool, the worker's
    main process. Other pools than prefork have no processes of their own: their time is in the main process.
    """
    main = psutil.Process(worker.pid)
    own = {each.pid for each in main.children()}
    fork_server = [each for each in worker.children_named(FORK_SERVER) if each.pid in own]
    tree = [each for server in fork_server for each in (server, *server.children(recursive=True))]
    pool = worker.pool_processes()
    return {
        "server": _seconds(_server()),
        "fork_server": _seconds(tree),
        "pool": _seconds(pool),
        "main": _seconds([main]),
    }


def _seconds(processes: Iterable[psutil.Process]) -> float:
    total = 0.0
    for process in processes:
        with suppress(psutil.NoSuchProcess):  # it has just ended: its parent has collected it
            total += sum(process.cpu_times()[:4])
    return total


def _server() -> list[psutil.Process]:
    """PostgreSQL's processes, without the one of this benchmark. Those of other databases are not known."""
    if connection.vendor != "postgresql":
        return []
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        own = psutil.Process(cursor.fetchone()[0])
    main = own.parent()
    return [] if main is None else [main, *(each for each in main.children() if each != own)]
