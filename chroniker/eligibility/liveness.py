"""Whether something ticks, and whether a live worker consumes each queue in which runs wait. Read-only."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from django.db.models import Count, Min

from chroniker.conf import settings
from chroniker.models import HostService, Run, Status, Ticker

#: The row of a ticker is not written more often than this, so a row of this age is no problem.
TICKER_WRITE_INTERVAL = dt.timedelta(seconds=10)
#: A queued run should start within this time.
EXPECTED_START_DELAY = dt.timedelta(minutes=1)
#: A ticker is silent after this many of its periods.
TICKER_SILENT_AFTER_PERIODS = 2.5
#: A queue without a worker raises an alarm when its oldest run has waited for this time.
QUEUE_ALARM_DELAY = dt.timedelta(seconds=90)
#: Workers that were silent for longer are left out.
SILENT_HOSTS_IGNORED_AFTER = dt.timedelta(days=1)
MAX_QUEUES = 100
MAX_TICKERS = 500


@dataclass(frozen=True, slots=True)
class WaitingQueue:
    """A queue with claimed runs that no worker has taken. ``name``: empty if the executor has no queues."""

    executor: str
    name: str
    queued_run_count: int
    oldest_claimed_at: dt.datetime


class FleetSnapshot(Protocol):
    """What a caller has read already, a few seconds ago at most: tickers, queued runs by queue, workers."""

    @property
    def tickers(self) -> Sequence[Ticker]: ...

    @property
    def queues(self) -> Sequence[WaitingQueue]: ...

    @property
    def services(self) -> Sequence[HostService]: ...


def read_latest_tickers() -> list[Ticker]:
    """The tickers, the latest first. One statement."""
    return list(Ticker.objects.order_by("-last_at")[:MAX_TICKERS])


def longest_silence_allowed(ticker: Ticker) -> dt.timedelta:
    """A ticker is silent if its last recorded pass is older than this."""
    periods = (
        dt.timedelta(seconds=TICKER_SILENT_AFTER_PERIODS * ticker.period + ticker.pass_seconds) + TICKER_WRITE_INTERVAL
    )
    return max(settings.tick_timeout, periods)


def last_ticker_if_all_silent(
    tickers: Iterable[Ticker], now: dt.datetime, watched_since: dt.datetime | None = None
) -> Ticker | None:
    """The ticker that ticked last, if all are silent. ``None``: some ticker ticks, or none has ever ticked.

    ``watched_since``: when the caller began to watch. Silence before it is ignored: perhaps no process could tick then.
    """
    tickers = list(tickers)
    if not tickers or any(
        now - max(each.last_at, watched_since or each.last_at) <= longest_silence_allowed(each) for each in tickers
    ):
        return None
    return max(tickers, key=lambda ticker: ticker.last_at)


def find_queues_with_waiting_runs() -> list[WaitingQueue]:
    """The queues with claimed runs that no worker has taken, the oldest run first. One statement."""
    waiting = Run.objects.filter(status=Status.CLAIMED, taken_at=None).order_by().values("executor", "queue")
    counted = waiting.annotate(n=Count("pk"), oldest=Min("claimed_at")).order_by("oldest")[:MAX_QUEUES]
    return [WaitingQueue(row["executor"], row["queue"], row["n"], row["oldest"]) for row in counted]


def select_queues_without_worker(
    queues: Iterable[WaitingQueue], services: Sequence[HostService], now: dt.datetime
) -> list[WaitingQueue]:
    """The queues that no live worker consumes. A worker that names no queues consumes all.

    If no worker of an executor was ever seen, its queues count after a minute: its workers may send no heartbeats.
    """
    known = {service.executor for service in services}
    consumed: set[tuple[str, str]] = set()
    for service in services:
        if now - service.last_seen <= settings.host_timeout:
            consumed |= {(service.executor, name) for name in service.consumed_queues}
    served = {executor for executor, _name in consumed}
    return [
        queue
        for queue in queues
        if not {(queue.executor, queue.name), (queue.executor, "")} & consumed
        and (queue.name or queue.executor not in served)
        and (queue.executor in known or now - queue.oldest_claimed_at > EXPECTED_START_DELAY)
    ]


def find_queues_without_worker(
    now: dt.datetime, snapshot: FleetSnapshot | None = None
) -> dict[tuple[str, str], WaitingQueue]:
    """By executor and name: the queues in which runs wait and that no live worker consumes. Two statements; none with
    ``snapshot``."""
    queues = find_queues_with_waiting_runs() if snapshot is None else snapshot.queues
    if not queues:
        return {}
    services = (
        snapshot.services
        if snapshot is not None
        else list(HostService.objects.filter(ended_at=None, last_seen__gt=now - SILENT_HOSTS_IGNORED_AFTER))
    )
    return {(queue.executor, queue.name): queue for queue in select_queues_without_worker(queues, services, now)}
