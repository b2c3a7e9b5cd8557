"""Passes of the tick and of its floor in turn, each over jobs that have just become due."""

from __future__ import annotations

from math import ceil

import redis

from chroniker.conf import settings
from chroniker.models import Lease, Run, Status
from chroniker.scheduler.tick import tick
from tests.benchmarks.measuring import (
    Row,
    Stopwatch,
    counted_statements,
    figure,
    load,
    milliseconds,
    processor_seconds,
    ratio,
)
from tests.benchmarks.population import Stage
from tests.benchmarks.tick_floor import PARTS, QUEUE, Floor

#: An idle pass is too short to measure it alone: the server counts its processor time in hundredths of a second.
IDLE_PASSES = 50


class Passes:
    """For one number of jobs and of due jobs."""

    def __init__(self, broker_url: str, jobs: int, due: int, history: int = 0) -> None:
        self._redis = redis.Redis.from_url(broker_url)
        self._stage = Stage(jobs, due, history)
        tick()  # with the periodic work of the fleet
        self._idle = self._statements(Stage(jobs, 0, history))
        self.statements = self._statements(self._stage)  # and everything is warm now
        self._floor = Floor(broker_url, self._message())
        self._timed_floor()

    def row(self, repeat: int) -> Row:
        """The two in turn; figures are medians."""
        ticks, floors, used = [], [], 0.0
        for _each in range(repeat):
            seconds, cpu = self._timed_tick()
            ticks.append(seconds)
            used += cpu
            floors.append(self._timed_floor())
        least = [watch.seconds for watch in floors]
        self._stage.clear()
        batches = max(1, ceil(self._stage.due / settings.batch_size))
        return {
            "ratio": ratio(ticks, least),
            "tick_ms": milliseconds(ticks),
            "floor_ms": milliseconds(least),
            **{f"floor_{part}_ms": milliseconds([watch.laps[part] for watch in floors]) for part in PARTS},
            "cpu_ms": figure(used / repeat * 1000),
            "statements": self.statements,
            "statements_per_batch": figure((self.statements - self._idle) / batches),
            "repeat": repeat,
            "load": load(),
        }

    def _statements(self, stage: Stage) -> int:
        self._redis.flushdb()
        stage.set()
        with counted_statements() as count:
            _claim(stage.due)
            statements = count()
        stage.clear()
        return statements

    def _message(self) -> bytes | None:
        message: bytes | None = self._redis.lindex(QUEUE, 0)  # type: ignore[assignment]
        return message

    def _timed_tick(self) -> tuple[float, float]:
        """Wall-clock seconds, and processor seconds of this process and of its database server process, for one."""
        self._redis.flushdb()
        self._stage.set()
        passes = 1 if self._stage.due else IDLE_PASSES
        before = processor_seconds()
        with Stopwatch() as watch:
            for _each in range(passes):
                _claim(self._stage.due)
        used = processor_seconds() - before
        self._expect()
        return watch.seconds / passes, used / passes

    def _timed_floor(self) -> Stopwatch:
        self._redis.flushdb()
        self._floor.prepare(self._stage.set())
        with Stopwatch() as watch:
            self._floor.run(watch)
        self._expect()
        return watch

    def _expect(self) -> None:
        """Both must have written the same rows, and sent as many messages."""
        marked = Run.objects.filter(status=Status.CLAIMED, dispatch_count=1, redispatch_at__isnull=False)
        found = {"runs": marked.count(), "leases": Lease.objects.count()}
        if self._floor.publishes:
            found["messages"] = self._redis.llen(QUEUE)
        if set(found.values()) != {self._stage.due}:
            raise AssertionError(f"{self._stage.due} jobs were due; this is what was made: {found}")


def _claim(due: int) -> None:
    """One tick; on a busy machine its time box ends it before all is claimed, and the next one goes on from there."""
    claimed = len(tick().claimed)
    while claimed < due and (more := len(tick().claimed)):
        claimed += more
