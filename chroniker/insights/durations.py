"""Expected durations, from successful runs; and the estimated end of an open run. Read-only."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass

from django.db.models import F, Window
from django.db.models.functions import RowNumber

from chroniker.models import Run, Status

#: The expected duration is the median of this many successful runs.
RUNS_IN_MEDIAN = 20
#: Of a job's history, only this many latest runs of any status are read.
MAX_RUNS_READ = 500
#: An end that is further away is dropped: a command may report one part of a billion.
MAX_ESTIMATED_DURATION = dt.timedelta(days=3650)


def fetch_expected_durations(job_ids: Collection[int]) -> dict[int, dt.timedelta]:
    """By job: the median duration of its last ``RUNS_IN_MEDIAN`` successful runs. One statement, however many jobs.

    A job without success among its last ``MAX_RUNS_READ`` runs is left out. For a job that runs on every host, the
    parent runs count, not the children.
    """
    if not job_ids:
        return {}
    import statistics  # imported here: it is large and rarely needed

    successes = Run.objects.filter(
        job__in=job_ids,
        slot="",
        status=Status.SUCCEEDED,
        started_at__isnull=False,
        token__gt=F("job__state__last_token") - MAX_RUNS_READ,
    )
    latest = successes.annotate(rank=Window(RowNumber(), partition_by="job", order_by="-token")).filter(
        rank__lte=RUNS_IN_MEDIAN
    )
    found: dict[int, list[float]] = {}
    for run in latest.only("job_id", "started_at", "finished_at"):
        found.setdefault(run.job_id, []).append(run_duration_seconds(run))
    return {job_id: dt.timedelta(seconds=statistics.median(taken)) for job_id, taken in found.items()}


def run_duration_seconds(run: Run) -> float:
    """Seconds from start to end; 0 where either is missing."""
    if run.started_at is None or run.finished_at is None:
        return 0.0
    return max((run.finished_at - run.started_at).total_seconds(), 0.0)


@dataclass(frozen=True, slots=True)
class EndEstimate:
    """Estimates for an open run. ``None``: unknown."""

    parts_per_second: float | None = None  #: on average since the start
    end_by_progress: dt.datetime | None = None  #: the end, if this rate continues
    end_by_past_runs: dt.datetime | None = None  #: the end, if the run takes as long as past runs


def estimate_end(
    started_at: dt.datetime | None,
    now: dt.datetime,
    *,
    total_parts: int | None = None,
    done_parts: int | None = None,
    expected_duration: dt.timedelta | None = None,
) -> EndEstimate:
    """Estimate the end of an open run, by its progress and by past runs. If the end is in the past, the
    run is late."""
    if started_at is None:
        return EndEstimate()
    rate = _parts_per_second((now - started_at).total_seconds(), done_parts)
    end_by_progress = (
        _add_seconds_or_none(now, max(total_parts - (done_parts or 0), 0) / rate)
        if rate and total_parts and total_parts > 0
        else None
    )
    end_by_past_runs = (
        None if expected_duration is None else _add_seconds_or_none(started_at, expected_duration.total_seconds())
    )
    return EndEstimate(rate, end_by_progress, end_by_past_runs)


def _parts_per_second(seconds: float, done_parts: int | None) -> float | None:
    return done_parts / seconds if done_parts and done_parts > 0 and seconds > 0 else None


def _add_seconds_or_none(start: dt.datetime, seconds: float) -> dt.datetime | None:
    return start + dt.timedelta(seconds=seconds) if seconds <= MAX_ESTIMATED_DURATION.total_seconds() else None
