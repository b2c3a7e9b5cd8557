"""Renewals of many open runs, in two ways: each run by itself, as the product does, and one for each worker."""

from __future__ import annotations

import datetime as dt
import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from uuid import UUID, uuid4

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from chroniker.clock.database_clock import NowPlus, database_now
from chroniker.conf import settings
from chroniker.executors.database_report import DatabaseReport
from chroniker.executors.statement_limit import limit_statement_time
from chroniker.models import JobState, Lease, Run, Status, Trigger
from tests.benchmarks.fleet_sessions import PlayedBy, Players, ServerWork, used
from tests.benchmarks.measuring import Row, figure, load, percentile
from tests.benchmarks.population import populate, tidy

#: One statement for several leases, locked in the order of their keys, with an answer for each.
_TOGETHER = """
    WITH mine AS (
        SELECT run_id FROM chroniker_lease
        WHERE (run_id, token, nonce) IN (VALUES {values}) AND expires_at > clock_timestamp()
        ORDER BY run_id FOR NO KEY UPDATE
    ), renewed AS (
        UPDATE chroniker_lease SET expires_at = clock_timestamp() + make_interval(secs => %s)
        FROM mine WHERE chroniker_lease.run_id = mine.run_id RETURNING chroniker_lease.run_id
    )
    SELECT run.id, run.stop_requested_at, run.stop_requested_by, clock_timestamp()
    FROM chroniker_run run JOIN renewed ON renewed.run_id = run.id
"""


@dataclass(frozen=True, slots=True)
class OpenRun:
    run_id: UUID
    token: int
    nonce: UUID


def one_by_one(runs: Sequence[OpenRun]) -> int:
    """The product's own renewals. Returns the number of leases that are held."""
    held = 0
    for run in runs:
        report = DatabaseReport(run.run_id, run.token)
        report.nonce = run.nonce
        held += report.renew(None).held
    return held


def together(runs: Sequence[OpenRun]) -> int:
    """One statement for all of them; not what the product does."""
    params = [value for run in runs for value in (run.run_id, run.token, run.nonce)]
    values = ", ".join(["(%s, %s, %s)"] * len(runs))
    with (
        limit_statement_time(settings.database, settings.heartbeat.total_seconds() / 2),
        connections[settings.database].cursor() as cursor,
    ):
        cursor.execute(_TOGETHER.format(values=values), [*params, settings.lease.total_seconds()])
        return len(cursor.fetchall())


#: By name: what renews, and whether the runs of a worker are renewed at the same moment.
WAYS: dict[str, tuple[Callable[[Sequence[OpenRun]], int], bool]] = {
    "each run": (one_by_one, False),
    "each worker": (together, True),
}


@dataclass(slots=True)
class Played:
    """What one process has done."""

    renewals: int
    lost: int
    late: list[float]
    processor_seconds: float


class Fleet:
    """Workers with open runs, all in the database."""

    def __init__(self, workers: int, slots: int, by: PlayedBy) -> None:
        self._by = by
        populate(workers * slots)
        runs = _open_runs()
        self._workers = [runs[n : n + slots] for n in range(0, len(runs), slots)]

    def renew(self, way: str, seconds: float) -> Row:
        """Every lease once in each heartbeat, for so many seconds. What is late at the end is left out."""
        tidy()
        parts = [self._workers[n :: self._by.processes] for n in range(self._by.processes)]
        work = partial(_renew, way=way, seconds=seconds, threads=self._by.threads)
        with Players(work, parts, max(map(len, parts)), self._by.port) as players:
            server = ServerWork(self._by.settle)
            Lease.objects.update(expires_at=NowPlus(settings.lease))
            played: list[Played] = players.play()
            renewals = sum(each.renewals for each in played)
            row = server.per("renewal", renewals)
        late = [each for one in played for each in one.late]
        open_runs = sum(map(len, self._workers))
        return {
            "figure": f"renewals by {way}",
            "open_runs": open_runs,
            "due_per_second": figure(open_runs / settings.heartbeat.total_seconds()),
            "renewals_per_second": figure(renewals / seconds),
            "lost": sum(each.lost for each in played),
            "p50_late_ms": figure(percentile(late, 50) * 1000),
            "p99_late_ms": figure(percentile(late, 99) * 1000),
            **row,
            "client_ms_per_renewal": figure(sum(each.processor_seconds for each in played) / renewals * 1000),
            "load": load(),
        }


def _open_runs() -> list[OpenRun]:
    """One for each job."""
    now = database_now()
    jobs = list(JobState.objects.order_by("pk").values_list("pk", flat=True))
    runs = [
        Run(
            job_id=job, token=1, chain=1, status=Status.RUNNING, trigger=Trigger.SCHEDULE, origin=Trigger.SCHEDULE,
            claimed_at=now, dispatched_at=now, taken_at=now, started_at=now, nonce=uuid4(), host="worker",
        )
        for job in jobs
    ]  # fmt: skip
    Run.objects.bulk_create(runs, batch_size=2_000)
    Lease.objects.bulk_create(
        [
            Lease(run=run, job_id=run.job_id, token=1, nonce=run.nonce, expires_at=now + dt.timedelta(hours=1))
            for run in runs
        ],
        batch_size=2_000,
    )
    JobState.objects.update(last_token=1)
    return [OpenRun(run.pk, run.token, run.nonce) for run in runs if run.nonce]


def _renew(
    workers: Sequence[Sequence[OpenRun]],
    sessions: Sequence[BaseDatabaseWrapper],
    *,
    way: str,
    seconds: float,
    threads: int,
) -> Played:
    """Each thread has workers of its own, and so their sessions."""
    before = time.process_time()
    renew, is_joined = WAYS[way]
    chance, every = random.Random(len(workers)), settings.heartbeat.total_seconds()
    turns: list[list[tuple[float, BaseDatabaseWrapper, Sequence[OpenRun]]]] = [[] for _each in range(threads)]
    for number, (runs, session) in enumerate(zip(workers, sessions, strict=False)):
        for group in [runs] if is_joined else [[run] for run in runs]:
            turns[number % threads].append((chance.random() * every, session, group))
    with ThreadPoolExecutor(threads) as pool:
        parts = list(pool.map(lambda turn: _take_turns(sorted(turn, key=lambda each: each[0]), renew, seconds), turns))
    return Played(
        sum(part.renewals for part in parts),
        sum(part.lost for part in parts),
        [late for part in parts for late in part.late],
        time.process_time() - before,
    )


def _take_turns(
    turns: Sequence[tuple[float, BaseDatabaseWrapper, Sequence[OpenRun]]],
    renew: Callable[[Sequence[OpenRun]], int],
    seconds: float,
) -> Played:
    began, every, played = time.monotonic(), settings.heartbeat.total_seconds(), Played(0, 0, [], 0.0)
    for number in range(1 + int(seconds // every)):
        for moment, session, runs in turns:
            due = began + number * every + moment
            if max(due, time.monotonic()) > began + seconds:
                return played
            time.sleep(max(0.0, due - time.monotonic()))
            with used(session):
                held = renew(runs)
            played.late.append(time.monotonic() - due)
            played.renewals += len(runs)
            played.lost += len(runs) - held
    return played
