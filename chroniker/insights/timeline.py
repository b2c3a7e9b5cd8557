"""The past, present and expected runs of all jobs, and their collisions.

Bounded: the newest runs, the jobs with the soonest next runs, and of those the rows with the most
run time. What is left out is counted.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from chroniker.conf import settings
from chroniker.eligibility.hosts import services_of_live_hosts
from chroniker.insights.collision_pools import PoolCollision, find_pool_collisions
from chroniker.insights.expected_runs import ExpectedStarts, first_expected_runs
from chroniker.insights.light_states import read_partial_states
from chroniker.insights.timeline_rows import TimelineLane, TimelineRows, arrange_lanes
from chroniker.insights.timeline_runs import TimelineRun, latest_runs_of_frequent_jobs, open_runs, past_runs_to_draw
from chroniker.models import Group, HostService, JobState, RunHour
from chroniker.models.light_rows import make_loaded_row
from chroniker.models.schedule_fields import SPEC_FIELDS

#: Jobs with a next run, past runs, expected runs for the collisions, and hourly counts that are read or computed.
MAX_JOBS, MAX_RUNS, MAX_EXPECTED_RUNS = 1000, 1000, 5000
#: Rows and bars of one picture.
MAX_ROWS, MAX_BARS = 60, 2000
#: A job that runs more often than this many times in one picture is drawn as one band.
MAX_SINGLE_BARS_PER_JOB = 144

_PARTIAL_STATE_COLUMNS = ("job_id", "next_run", "next_instant", "p50")
_JOB_COLUMNS = ("id", "name", "group_id", "executor", "queue", "jitter_seconds", *SPEC_FIELDS)
_PARTIAL_GROUP_COLUMNS = ("id", "name", "limit")


@dataclass(frozen=True, slots=True)
class RunTimeline:
    """From ``start`` to ``end``, with ``now`` in the middle."""

    start: dt.datetime
    now: dt.datetime
    end: dt.datetime
    lanes: list[TimelineLane] = field(default_factory=list)
    rows_left_out: int = 0
    bars_left_out: int = 0
    single_runs_since: dt.datetime | None = None  #: runs before this moment are shown by hours; None: none are
    collisions: list[PoolCollision] = field(default_factory=list)
    collisions_until: dt.datetime | None = None  #: later ones were not computed; None: all were
    slots: dict[str, int | None] = field(default_factory=dict)  #: by worker
    job_read_limit: int | None = None  #: more jobs have a next run, but only so many were read; None: all were


def fetch_timeline(now: dt.datetime, span: dt.timedelta, grouped_by: str, *, with_runs: bool = True) -> RunTimeline:
    """``span``: of the picture. ``grouped_by``: "worker", "job" or "group". ``with_runs``: with past and open runs.

    Six statements: jobs, open runs, past runs, latest runs of frequent jobs, hourly counts, workers.
    """
    low, high = now - span / 2, now + span / 2
    states = list(_read_scheduled_states(high, MAX_JOBS + 1))
    is_cut, states = len(states) > MAX_JOBS, states[:MAX_JOBS]
    starts = ExpectedStarts(high)
    frequent = _frequent_job_ids(states, starts, span / MAX_SINGLE_BARS_PER_JOB)
    running = list(open_runs()[:MAX_RUNS])
    past = past_runs_to_draw(low, frequent, MAX_RUNS + 1) if with_runs else []
    single_runs_since = _time_since_all_runs_were_read(past, low)
    rows = TimelineRows(low, now, high, single_runs_since, grouped_by)
    rows.add_runs([run for run in past[:MAX_RUNS] if run.finished_at is not None])
    rows.add_open_runs(running if with_runs else [])
    rows.record_lanes(latest_runs_of_frequent_jobs(frequent) if with_runs and grouped_by == "worker" else ())
    rows.add_expected_runs(states, frequent, starts)
    shown = rows.select_busiest_rows(MAX_ROWS)
    hours = _fetch_run_hours(rows.job_ids_needing_hours(shown), low) if with_runs else []
    rows.add_bands_of_hours(shown, hours)
    arranged = arrange_lanes(shown, rows, MAX_BARS)
    found = first_expected_runs(states, starts, MAX_EXPECTED_RUNS)
    services = _fetch_live_services()
    collisions = find_pool_collisions(found.runs, states, running, past, services, now)
    return RunTimeline(
        low,
        now,
        high,
        lanes=arranged.lanes,
        rows_left_out=rows.row_count - len(shown),
        bars_left_out=arranged.bars_left_out,
        single_runs_since=single_runs_since,
        collisions=collisions,
        collisions_until=found.until,
        slots={service.worker or service.host.name: service.slots for service in services},
        job_read_limit=MAX_JOBS if is_cut else None,
    )


def _read_scheduled_states(until: dt.datetime, limit: int) -> Iterator[JobState]:
    """The states of the jobs that run next, with their jobs and groups; only the needed columns. One statement."""
    states = JobState.objects.filter(next_run__lte=until, job__enabled=True, schedule_error="").order_by("next_run")
    groups: dict[int, Group] = {}
    for state, of_group in read_partial_states(
        states, limit, _PARTIAL_STATE_COLUMNS, _JOB_COLUMNS, [f"job__group__{name}" for name in _PARTIAL_GROUP_COLUMNS]
    ):
        job = state.job
        if job.group_id is not None and job.group_id not in groups:
            groups[job.group_id] = make_loaded_row(Group, _PARTIAL_GROUP_COLUMNS, of_group, settings.database)
        job._state.fields_cache["group"] = groups.get(job.group_id or 0)
        yield state


def _frequent_job_ids(states: Iterable[JobState], starts: ExpectedStarts, max_interval: dt.timedelta) -> set[int]:
    """Jobs with so frequent and so short runs that single bars would touch each other."""
    short = [state for state in states if (state.p50 or 0) < max_interval.total_seconds() / 4]
    return {
        state.job_id
        for state in short
        if (interval := starts.interval_between_starts(state)) is not None and interval < max_interval
    }


def _time_since_all_runs_were_read(past: Sequence[TimelineRun], low: dt.datetime) -> dt.datetime | None:
    """The moment from which on every run was read; None if that is the begin of the picture."""
    if len(past) > MAX_RUNS:
        return past[MAX_RUNS - 1].claimed_at
    since = past[0].searched_since if past else None
    return since if since is not None and since > low else None


def _fetch_run_hours(job_ids: Sequence[int], since: dt.datetime) -> list[RunHour]:
    hour = since.replace(minute=0, second=0, microsecond=0)
    return list(RunHour.objects.filter(job__in=job_ids, hour__gte=hour).order_by("hour")) if job_ids else []


def _fetch_live_services() -> list[HostService]:
    return list(services_of_live_hosts().select_related("host").order_by("host__name", "worker")[:MAX_RUNS])
