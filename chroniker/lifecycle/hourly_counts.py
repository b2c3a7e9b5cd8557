"""Add closed runs to the counts of their hour, of all jobs, and of their outcome. Each run is counted once."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from uuid import UUID

from chroniker.lifecycle.bulk import upsert_counters
from chroniker.lifecycle.job_health import duration_seconds
from chroniker.lifecycle.transactions import lock_rows, transactional
from chroniker.models import START_DELAY_BOUNDS, CountedRuns, Run, RunCount, RunHour, RunTotal, Status, Trigger
from chroniker.schedule import jitter

#: One transaction counts at most this many runs.
MAX_RUNS_PER_TRANSACTION = 1000
#: The first bucket of start delays in which a start is late.
FIRST_LATE_START_DELAY_BUCKET = 5

_COUNTED_RUN_COLUMNS = (
    "job",
    "parent",
    "status",
    "trigger",
    "scheduled_for",
    "claimed_at",
    "started_at",
    "finished_at",
)
_COUNTER_BY_STATUS = {
    Status.SUCCEEDED: "succeeded",
    Status.FAILED: "failed",
    Status.TIMED_OUT: "timed_out",
    Status.STOPPED: "stopped",
    Status.LOST: "lost",
    Status.SKIPPED: "skipped",
}


@transactional
def add_closed_runs_to_counters() -> int:
    """Count a portion of the closed runs that are not counted yet; returns how many. Seven statements.

    The mark of each run is removed in the transaction that counts it. So a run is counted once, even if two ticks do
    this at the same time, or if the transaction that closed the run commits late.
    """
    waiting = Run.objects.filter(uncounted_since__isnull=False)
    ids = list(waiting.order_by("uncounted_since").values_list("pk", flat=True)[:MAX_RUNS_PER_TRANSACTION])
    if not ids:
        return 0
    runs = list(lock_rows(waiting.filter(pk__in=ids).only(*_COUNTED_RUN_COLUMNS), skip=True))
    hours, totals, outcomes = _sum_up_runs(runs, _jitter_seconds_by_job(ids))
    upsert_counters(
        [hours[key] for key in sorted(hours)], key=("job", "hour"), keep_largest=("seconds_max", "late_hour")
    )
    upsert_counters([totals[key] for key in sorted(totals)], key=("start",), keep_largest=("seconds_max",))
    upsert_counters([outcomes[key] for key in sorted(outcomes)], key=("outcome",), keep_largest=())
    Run.objects.filter(pk__in=[run.pk for run in runs]).update(uncounted_since=None)
    return len(runs)


def _sum_up_runs(
    runs: Iterable[Run], jitters: Mapping[int, int]
) -> tuple[dict[tuple[int, dt.datetime], RunHour], dict[dt.datetime, RunTotal], dict[str, RunCount]]:
    """The counts by job and hour, by half hour, and by outcome. Of a run on every host, only the parent counts."""
    hours: dict[tuple[int, dt.datetime], RunHour] = {}
    totals: dict[dt.datetime, RunTotal] = {}
    outcomes: dict[str, RunCount] = {}
    for run in runs:
        if run.parent_id is None:
            assert run.finished_at is not None
            hour = run.finished_at.replace(minute=0, second=0, microsecond=0)
            start = hour.replace(minute=30 if run.finished_at.minute >= 30 else 0)
            row = hours.setdefault((run.job_id, hour), RunHour(job_id=run.job_id, hour=hour))
            bucket = _start_delay_bucket(run, jitters.get(run.job_id, 0))
            row.late_hour = hour if bucket is not None and bucket >= FIRST_LATE_START_DELAY_BUCKET else row.late_hour
            for counts in (row, totals.setdefault(start, RunTotal(start=start))):
                _add_run_to_period_counters(counts, run, bucket)
            name = _COUNTER_BY_STATUS[Status(run.status)]
            outcome = outcomes.setdefault(name, RunCount(outcome=name))
            outcome.runs += 1
            outcome.seconds += duration_seconds(run) or 0.0
    return hours, totals, outcomes


def _jitter_seconds_by_job(ids: list[UUID]) -> dict[int, int]:
    rows = Run.objects.filter(pk__in=ids, job__jitter_seconds__gt=0).order_by()
    return dict(rows.values_list("job", "job__jitter_seconds").distinct())


def _start_delay_bucket(run: Run, jitter_seconds: int) -> int | None:
    """The number of the bucket of the run's start delay; ``None``: the run was not started."""
    if run.started_at is None:
        return None
    since = run.claimed_at
    if run.trigger == Trigger.SCHEDULE and run.scheduled_for is not None:
        since = run.scheduled_for + jitter(run.job_id, jitter_seconds)
    return bisect_right(START_DELAY_BOUNDS, (run.started_at - since).total_seconds())


def _add_run_to_period_counters(row: CountedRuns, run: Run, bucket: int | None) -> None:
    names = [_COUNTER_BY_STATUS[Status(run.status)]]
    if (seconds := duration_seconds(run)) is not None:
        row.seconds_sum += seconds
        row.seconds_max = max(row.seconds_max, seconds)
        names.append(f"delay_{bucket}")
    for name in names:
        setattr(row, name, getattr(row, name) + 1)
