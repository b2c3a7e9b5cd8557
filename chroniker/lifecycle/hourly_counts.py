"""Add closed runs to the counts of their hour. Each run is counted once."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from uuid import UUID

from chroniker.lifecycle.bulk import add
from chroniker.lifecycle.transactions import locked, transactional
from chroniker.models import DELAY_BOUNDS, Run, RunHour, Status, Trigger
from chroniker.schedule import jitter

#: Runs counted in one transaction.
PORTION = 1000

_READ = ("job", "parent", "status", "trigger", "scheduled_for", "claimed_at", "started_at", "finished_at")
_COUNTERS = {
    Status.SUCCEEDED: "succeeded",
    Status.FAILED: "failed",
    Status.TIMED_OUT: "timed_out",
    Status.STOPPED: "stopped",
    Status.LOST: "lost",
    Status.SKIPPED: "skipped",
}


@transactional
def count_closed_runs() -> int:
    """Count a portion of the closed runs that are not counted yet; returns how many. Five statements.

    The mark of each run is removed in the transaction that adds the run, so that a run is counted once also when two
    ticks do this at the same time, or when the transaction that closed it commits late.
    """
    waiting = Run.objects.filter(uncounted_since__isnull=False)
    ids = list(waiting.order_by("uncounted_since").values_list("pk", flat=True)[:PORTION])
    if not ids:
        return 0
    runs = locked(waiting.filter(pk__in=ids).only(*_READ), skip=True)
    counts: dict[tuple[int, dt.datetime], RunHour] = {}
    mine: list[UUID] = []
    jitters = _jitters(ids)
    for run in runs:
        mine.append(run.pk)
        if run.parent_id is None:
            assert run.finished_at is not None
            hour = run.finished_at.replace(minute=0, second=0, microsecond=0)
            row = counts.setdefault((run.job_id, hour), RunHour(job_id=run.job_id, hour=hour))
            _count(row, run, jitters.get(run.job_id, 0))
    add([counts[key] for key in sorted(counts)], key=("job", "hour"), largest=("seconds_max",))
    Run.objects.filter(pk__in=mine).update(uncounted_since=None)
    return len(mine)


def _jitters(ids: list[UUID]) -> dict[int, int]:
    rows = Run.objects.filter(pk__in=ids, job__jitter_seconds__gt=0).order_by()
    return dict(rows.values_list("job", "job__jitter_seconds").distinct())


def _count(row: RunHour, run: Run, jitter_seconds: int) -> None:
    counter = _COUNTERS[Status(run.status)]
    setattr(row, counter, getattr(row, counter) + 1)
    if run.started_at is None or run.finished_at is None:
        return
    seconds = max(0.0, (run.finished_at - run.started_at).total_seconds())
    row.seconds_sum += seconds
    row.seconds_max = max(row.seconds_max, seconds)
    since = run.claimed_at
    if run.trigger == Trigger.SCHEDULE and run.scheduled_for is not None:
        since = run.scheduled_for + jitter(run.job_id, jitter_seconds)
    bucket = f"delay_{bisect_right(DELAY_BOUNDS, (run.started_at - since).total_seconds())}"
    setattr(row, bucket, getattr(row, bucket) + 1)
