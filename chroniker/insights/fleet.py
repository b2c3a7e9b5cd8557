"""The workers, queues and hosts, and the processes that tick. A constant number of statements."""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from chroniker.conf import settings
from chroniker.eligibility.hosts import HOST_SILENT_AFTER
from chroniker.insights import health_facts
from chroniker.insights.health import max_age_of_last_pass
from chroniker.models import Host, HostService, Lease, Run, Status, Ticker

#: Rows that are read: queued runs, latest runs for the waiting times.
MAX_QUEUED_RUNS, MAX_RUNS = 1_000, 1_000
WAIT_MEASUREMENT_SPAN = dt.timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Worker:
    """``is_older``: another live worker runs a later version."""

    service: HostService
    is_alive: bool
    is_older: bool


@dataclass(frozen=True, slots=True)
class Queue:
    """``name`` is empty for an executor without queues. ``wait_p95_seconds``: of the runs of the last hour."""

    executor: str
    name: str
    queued_run_count: int
    oldest_claimed_at: dt.datetime | None
    worker_count: int
    slots: int | None
    busy: int | None
    wait_p95_seconds: float | None

    @property
    def code(self) -> str:
        """A code of ``wording.states``."""
        if not self.worker_count:
            return "no_worker" if self.queued_run_count else "unknown"
        is_full = self.slots is not None and self.busy is not None and self.busy >= self.slots
        return "full" if is_full and self.queued_run_count else "ok"


@dataclass(frozen=True, slots=True)
class FleetHost:
    host: Host
    is_alive: bool
    ticker_kinds: list[str]
    executor_names: list[str]


@dataclass(frozen=True, slots=True)
class Fleet:
    """``is_known``: whether it could be read in time."""

    workers: list[Worker] = field(default_factory=list)
    queues: list[Queue] = field(default_factory=list)
    hosts: list[FleetHost] = field(default_factory=list)
    tickers: list[Ticker] = field(default_factory=list)
    is_known: bool = True

    @property
    def live_workers(self) -> list[Worker]:
        return [worker for worker in self.workers if worker.is_alive]

    @property
    def unserved_queues(self) -> list[Queue]:
        """Queues with runs and no worker."""
        return [queue for queue in self.queues if queue.code == "no_worker"]


def fetch_fleet(now: dt.datetime) -> Fleet:
    """Two statements besides those of the health."""
    facts = health_facts.get_cached_health_facts(now)
    if facts is None:
        return Fleet(is_known=False)
    services = sorted(facts.services, key=lambda each: (each.host.name, each.executor, each.worker))
    alive = [service for service in services if is_service_alive(service, now)]
    return Fleet(
        workers=_fleet_workers(services, alive, now),
        queues=_fleet_queues(alive, now),
        hosts=[
            _fleet_host(host, facts.tickers, services, now) for host in sorted(facts.hosts, key=lambda each: each.name)
        ],
        tickers=facts.tickers,
    )


def is_any_ticking(tickers: Iterable[Ticker], now: dt.datetime) -> bool:
    """Whether any of them made a pass within its last three periods, as the health judges it."""
    return any(now - each.last_at <= max_age_of_last_pass(each, 3) for each in tickers)


def is_service_alive(service: HostService, now: dt.datetime) -> bool:
    return now - service.last_seen <= settings.host_timeout


def _fleet_workers(services: Sequence[HostService], alive: Sequence[HostService], now: dt.datetime) -> list[Worker]:
    newest = max((_version_sort_key(service.version) for service in alive if service.version), default=())
    return [
        Worker(
            service,
            is_service_alive(service, now),
            bool(service.version) and _version_sort_key(service.version) < newest,
        )
        for service in services
    ]


def _version_sort_key(version: str) -> tuple[tuple[int, str], ...]:
    """A key that sorts versions: numbers by value; other parts by their letters, before any number."""
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in version.split("."))


def _fleet_queues(alive: Iterable[HostService], now: dt.datetime) -> list[Queue]:
    """The queues that a live worker consumes, and those in which a run waits."""
    consumers: dict[tuple[str, str], list[HostService]] = defaultdict(list)
    for service in alive:
        for name in service.consumed_queues:
            consumers[service.executor, name].append(service)
    rows = Lease.objects.filter(run__status=Status.CLAIMED).order_by("run__claimed_at")
    queued = list(rows.values_list("run__executor", "run__queue", "run__claimed_at")[:MAX_QUEUED_RUNS])
    counts = Counter((executor, name) for executor, name, _claimed in queued)
    oldest_claimed_at = {(executor, name): claimed for executor, name, claimed in reversed(queued)}
    waits = _p95_wait_seconds_by_queue(now)
    return [
        Queue(
            executor=executor,
            name=name,
            queued_run_count=counts[executor, name],
            oldest_claimed_at=oldest_claimed_at.get((executor, name)),
            worker_count=len(consumers[executor, name]),
            slots=_sum_or_none(service.slots for service in consumers[executor, name]),
            busy=_sum_or_none(service.busy for service in consumers[executor, name]),
            wait_p95_seconds=waits.get((executor, name)),
        )
        for executor, name in sorted({*consumers, *counts})
    ]


def _sum_or_none(numbers: Iterable[int | None]) -> int | None:
    """``None`` if any of them is unknown."""
    found = list(numbers)
    return sum(number or 0 for number in found) if found and None not in found else None


def _p95_wait_seconds_by_queue(now: dt.datetime) -> dict[tuple[str, str], float]:
    """By executor and queue: the seconds between claim and worker that 95 of 100 of the latest runs did not exceed."""
    rows = Run.objects.filter(claimed_at__gt=now - WAIT_MEASUREMENT_SPAN, claimed_at__lte=now).order_by("-claimed_at")
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for executor, name, claimed, taken in rows.values_list("executor", "queue", "claimed_at", "taken_at")[:MAX_RUNS]:
        if taken is not None:
            found[executor, name].append(max((taken - claimed).total_seconds(), 0.0))
    return {key: sorted(waits)[(len(waits) * 95 - 1) // 100] for key, waits in found.items()}


def _fleet_host(host: Host, tickers: Sequence[Ticker], services: Sequence[HostService], now: dt.datetime) -> FleetHost:
    return FleetHost(
        host,
        now - host.last_seen <= HOST_SILENT_AFTER,
        [ticker.kind for ticker in tickers if ticker.host == host.name],
        sorted(
            {service.executor for service in services if service.host_id == host.pk and is_service_alive(service, now)}
        ),
    )
