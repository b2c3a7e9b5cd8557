"""When it is crowded: past, present and expected runs of all jobs, and their collisions.

Bounded: the newest runs, the jobs with the soonest next runs, and of those the busiest. What is left out is counted.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from django.db.models import DateTimeField, F, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from chroniker.eligibility.hosts import live_services
from chroniker.insights.collision_pools import PoolCollision, pool_collisions
from chroniker.insights.expected_runs import Starts, expectation
from chroniker.insights.timeline_rows import Lane, Rows, arrange
from chroniker.models import HostService, JobState, Lease, Run, RunHour, Status

#: Jobs with a next run, past runs, expected runs for the collisions, and hourly counts that are read or computed.
MOST_JOBS, MOST_RUNS, MOST_EXPECTED = 2000, 2000, 5000
#: Runs of any kind among which the past runs are searched.
MOST_SEARCHED = 10_000
#: Rows and bars of one picture.
MOST_ROWS, MOST_BARS = 60, 2000
#: Frequent jobs whose successes are not read one by one.
MOST_FREQUENT = 500
#: A job that runs more often than this part of the time is drawn as one band.
FREQUENT = 144

_JOB = ("name", "group", "executor", "queue", "jitter_seconds", "frequency", "cron", "params", "run_at", "starts_at")
_COLUMNS = (
    "next_run",
    "next_instant",
    "p50",
    *(f"job__{name}" for name in (*_JOB, "ends_at", "timezone", "dst_gap", "dst_fold")),
    "job__group__name",
    "job__group__limit",
)


@dataclass(frozen=True, slots=True)
class Timeline:
    """From ``low`` to ``high``, with ``now`` in the middle."""

    low: dt.datetime
    now: dt.datetime
    high: dt.datetime
    lanes: list[Lane] = field(default_factory=list)
    rows_left_out: int = 0
    bars_left_out: int = 0
    single_since: dt.datetime | None = None  #: runs before this moment are shown by hours; None: none are
    collisions: list[PoolCollision] = field(default_factory=list)
    collisions_until: dt.datetime | None = None  #: later ones were not computed; None: all were
    slots: dict[str, int | None] = field(default_factory=dict)  #: by worker
    is_cut: bool = False  #: there are more jobs with a next run than were read


def timeline(now: dt.datetime, span: dt.timedelta, by: str, *, with_runs: bool = True) -> Timeline:
    """``span``: of the whole picture. ``by``: "worker", "job" or "group". ``with_runs``: also past and present runs.

    Six statements: jobs, open runs, past runs, latest runs of frequent jobs, hourly counts, workers.
    """
    low, high = now - span / 2, now + span / 2
    states = list(_states(high)[: MOST_JOBS + 1])
    is_cut, states = len(states) > MOST_JOBS, states[:MOST_JOBS]
    starts = Starts(high)
    frequent = _frequent(states, starts, span / FREQUENT)
    open_runs = list(_open_runs()[:MOST_RUNS])
    past = list(_past_runs(low, frequent)[: MOST_RUNS + 1]) if with_runs else []
    single_since = _single_since(past, low)
    rows = Rows(low, now, high, single_since, by)
    rows.add_runs([run for run in past[:MOST_RUNS] if run.finished_at is not None])
    rows.add_open(open_runs if with_runs else [])
    rows.use_lanes(_latest_runs(frequent) if with_runs and by == "worker" else ())
    rows.add_expected(states, frequent, starts)
    shown = rows.busiest(MOST_ROWS)
    hours = _hours(rows.job_ids(shown), low) if with_runs else []
    rows.add_hours(shown, hours)
    arranged = arrange(shown, rows, MOST_BARS)
    found = expectation(states, starts, MOST_EXPECTED)
    services = _services()
    collisions = pool_collisions(found.runs, states, open_runs, past, services, now)
    return Timeline(
        low,
        now,
        high,
        lanes=arranged.lanes,
        rows_left_out=rows.count - len(shown),
        bars_left_out=arranged.bars_left_out,
        single_since=single_since,
        collisions=collisions,
        collisions_until=found.until,
        slots={service.worker or service.host.name: service.slots for service in services},
        is_cut=is_cut,
    )


def _states(high: dt.datetime) -> QuerySet[JobState]:
    states = JobState.objects.filter(next_run__lte=high, job__enabled=True, schedule_error="")
    return states.select_related("job__group").only(*_COLUMNS).order_by("next_run")


def _frequent(states: Iterable[JobState], starts: Starts, often: dt.timedelta) -> set[int]:
    """Jobs that run so often, and so shortly, that single bars would touch each other."""
    found = set[int]()
    for state in states:
        interval = starts.interval(state)
        if interval is not None and interval < often and (state.p50 or 0) < often.total_seconds() / 4:
            found.add(state.pk)
    return found


def _open_runs() -> QuerySet[Run]:
    open_ids = Lease.objects.filter(slot="").values("run")
    return Run.objects.filter(pk__in=open_ids).select_related("job__group", "job__state").order_by("claimed_at")


def _past_runs(low: dt.datetime, frequent: Collection[int]) -> QuerySet[Run]:
    """The newest runs, without skipped ones and without successes of frequent jobs.

    Only the newest ``MOST_SEARCHED`` runs of any kind are searched, so that the statement stays bounded.
    """
    newest = Run.objects.order_by("-claimed_at").values("claimed_at")[MOST_SEARCHED : MOST_SEARCHED + 1]
    bound = Subquery(newest)  # MariaDB returns text for an annotation with Coalesce
    runs = Run.objects.filter(claimed_at__gte=low, parent=None).exclude(status=Status.SKIPPED)
    searched = Coalesce(bound, Value(low, output_field=DateTimeField()))
    runs = runs.filter(claimed_at__gte=searched).annotate(searched_since=bound)
    if frequent:
        runs = runs.exclude(Q(status=Status.SUCCEEDED) & Q(job__in=sorted(frequent)[:MOST_FREQUENT]))
    columns = (
        "job",
        "token",
        "status",
        "claimed_at",
        "started_at",
        "finished_at",
        "worker",
        "host",
        "executor",
        "queue",
    )
    runs = runs.select_related("job__group").only(*columns, "job__name", "job__group__name", "job__group__limit")
    return runs.order_by("-claimed_at")


def _latest_runs(frequent: Collection[int]) -> QuerySet[Run]:
    """The newest runs of frequent jobs, newest first: their successes are not among the past runs."""
    runs = Run.objects.filter(job__in=sorted(frequent)[:MOST_FREQUENT], token__gt=F("job__state__last_token") - 3)
    started = runs.filter(parent=None, started_at__isnull=False).select_related("job__group")
    return started.only("job", "token", "worker", "host", "job__name", "job__group__name").order_by("-token")


def _single_since(past: Sequence[Run], low: dt.datetime) -> dt.datetime | None:
    """The moment from which on every run was read; None if that is the begin of the picture."""
    if len(past) > MOST_RUNS:
        return past[MOST_RUNS - 1].claimed_at
    since: dt.datetime | None = past[0].__dict__["searched_since"] if past else None
    return since if since is not None and since > low else None


def _hours(job_ids: Sequence[int], low: dt.datetime) -> list[RunHour]:
    hour = low.replace(minute=0, second=0, microsecond=0)
    return list(RunHour.objects.filter(job__in=job_ids, hour__gte=hour).order_by("hour")) if job_ids else []


def _services() -> list[HostService]:
    return list(live_services().select_related("host").order_by("host__name", "worker")[:MOST_RUNS])
