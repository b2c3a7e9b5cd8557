"""Records the passes of a process that ticks: the last one, and counts by minute."""

from __future__ import annotations

import datetime as dt
import os

from django.db import connections

from chroniker import lifecycle
from chroniker.clock.database_clock import NowPlus
from chroniker.conf import settings
from chroniker.lifecycle.bulk import upsert_counters
from chroniker.models import Ticker, TickMinute
from chroniker.models.base import installed_version
from chroniker.models.conflicts import retry_after_conflict
from chroniker.process.kernel import host_clock

#: The row of a ticker is written at most this often.
MIN_SECONDS_BETWEEN_WRITES = 10.0
#: Limits of the period that is computed from two passes: a person may have started one of the passes.
SHORTEST_PERIOD_SECONDS, LONGEST_PERIOD_SECONDS = 60.0, 600.0


class TickRecorder:
    """Records the passes of one process. Each call of ``record_pass`` writes at most one row.

    ``kind``: the command or program, such as "beat". ``period``: the longest time between two of its passes.
    """

    def __init__(self, kind: str, period: float) -> None:
        self._kind, self._period = kind, period
        self._written_at = -MIN_SECONDS_BETWEEN_WRITES
        self._ended_at: float | None = None
        self._minute: TickMinute | None = None

    def record_pass(self, ended: dt.datetime, seconds: float, claimed: int) -> None:
        """Record a pass that ended at ``ended`` (the database's clock) and took this many seconds."""
        over = self._minute if self._minute and self._minute.minute != _minute_of(ended) else None
        if over is not None:
            self._minute = None
        self._count_pass(ended, seconds, claimed)
        if over is not None:
            _store_minute(over)
        elif host_clock.monotonic() - self._written_at >= MIN_SECONDS_BETWEEN_WRITES:
            self._write_ticker(ended, seconds)

    def close(self) -> None:
        """Store the current minute, and record that this process has ended."""
        if self._minute is not None:
            _store_minute(self._minute)
            self._minute = None
        mine = Ticker.objects.filter(host=settings.hostname, kind=self._kind, pid=os.getpid())
        mine.update(ended_at=NowPlus())

    def _count_pass(self, ended: dt.datetime, seconds: float, claimed: int) -> None:
        now = host_clock.monotonic()
        if self._minute is None:
            self._minute = TickMinute(host=settings.hostname, minute=_minute_of(ended))
        gap = seconds if self._ended_at is None else now - self._ended_at
        self._minute.passes += 1
        self._minute.claimed += claimed
        self._minute.longest_pass = max(self._minute.longest_pass, seconds)
        self._minute.longest_gap = max(self._minute.longest_gap, gap)
        self._ended_at = now

    def _write_ticker(self, ended: dt.datetime, seconds: float) -> None:
        row = Ticker(host=settings.hostname, kind=self._kind, version=installed_version(), pid=os.getpid())
        row.period, row.last_at, row.pass_seconds = self._period, ended, seconds
        row.is_paused = settings.paused
        _upsert_ticker(row)
        if row.is_paused:
            lifecycle.record_pause_by_settings()
        self._written_at = host_clock.monotonic()


def _minute_of(moment: dt.datetime) -> dt.datetime:
    return moment.replace(second=0, microsecond=0)


@retry_after_conflict
def _upsert_ticker(ticker: Ticker) -> None:
    targeted = connections[settings.database].features.supports_update_conflicts_with_target
    Ticker.objects.bulk_create(
        [ticker],
        update_conflicts=True,
        update_fields=["version", "pid", "period", "last_at", "pass_seconds", "is_paused", "ended_at"],
        unique_fields=["host", "kind"] if targeted else None,
    )


@retry_after_conflict
def _store_minute(minute: TickMinute) -> None:
    upsert_counters([minute], key=("host", "minute"), keep_largest=("longest_pass", "longest_gap"))


def record_single_pass(kind: str, ended: dt.datetime, seconds: float, claimed: int) -> None:
    """Record the only pass of a process that a crontab starts. Its period is the time since the pass before it."""
    before = Ticker.objects.filter(host=settings.hostname, kind=kind).values_list("last_at", flat=True).first()
    gap = seconds if before is None else max(seconds, (ended - before).total_seconds())
    TickRecorder(kind, min(max(gap, SHORTEST_PERIOD_SECONDS), LONGEST_PERIOD_SECONDS)).record_pass(
        ended, seconds, claimed
    )
    minute = TickMinute(host=settings.hostname, minute=_minute_of(ended), passes=1, claimed=claimed)
    minute.longest_pass, minute.longest_gap = seconds, gap
    _store_minute(minute)
