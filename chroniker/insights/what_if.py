"""The effects of an edit of a job's schedule, before it is saved. Reads the database; writes nothing.

The skipped times are exact: the next tick skips exactly these, if it comes before another scheduled time. The other
effects are estimates: they assume that every run takes as long as usual and that a tick is always in time.
"""

from __future__ import annotations

import copy
import datetime as dt
from dataclasses import dataclass, field, replace

from django.db.models import Exists, OuterRef

from chroniker.clock.database_clock import NowPlus, database_now
from chroniker.exceptions import ScheduleError
from chroniker.insights.collision_pools import PoolCollision
from chroniker.insights.edit_crowding import find_overloaded_minutes
from chroniker.insights.edit_neighbours import (
    DependentJob,
    fetch_dependent_jobs,
    fetch_other_jobs_starting_before,
    jobs_in_same_minute,
    timetable_of_job,
)
from chroniker.insights.self_overlap import OverlapForecast, forecast_overlaps
from chroniker.insights.timetable import DAY, ComparedTime, Timetable, compare_scheduled_times
from chroniker.lifecycle.booking import apply_job_edit_to_state
from chroniker.models import Job, JobState, Lease
from chroniker.models.calendar import read_closed_times
from chroniker.reasons import Code
from chroniker.schedule import latest_instant_until, next_instant_after

#: Scheduled times that are shown; skipped ones that are counted; own starts that may overlap.
MAX_COMPARED_TIMES, MAX_SKIPPED_TIMES, MAX_STARTS = 10, 1000, 1440

_MINUTE, _MICROSECOND = dt.timedelta(minutes=1), dt.timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class TimesSkippedBySave:
    """Scheduled times that are due and have not run, and that the save records as skipped."""

    first: dt.datetime
    last: dt.datetime
    count: int
    has_more: bool
    code: Code


@dataclass(frozen=True, slots=True)
class SelfOverlap:
    """The scheduled times of a day that overlap the run before, if each run takes ``run_duration``."""

    run_duration: dt.timedelta
    before: OverlapForecast
    after: OverlapForecast


@dataclass(frozen=True, slots=True)
class EditEffects:
    """The effects of one edit."""

    now: dt.datetime
    is_new: bool
    times: list[ComparedTime]
    same_minute_job_counts: dict[dt.datetime, int]  #: by scheduled time: the other jobs that start in the same minute
    runs_per_day: tuple[float, float]  #: before and after
    skipped: TimesSkippedBySave | None = None
    drops_retry: bool = False
    overlap_of_usual_runs: SelfOverlap | None = None  #: if each run takes as long as half of them do
    overlap_of_slow_runs: SelfOverlap | None = None  #: if each run takes as long as 95 of 100 do
    #: Starts within a minute beyond its group or its slots.
    collisions: list[PoolCollision] = field(default_factory=list)
    dependants: list[DependentJob] = field(default_factory=list)


def fetch_saved_job(pk: int) -> Job | None:
    """The job with its state and group, for ``compute_edit_effects``. One statement."""
    is_open = Exists(Lease.objects.filter(job=OuterRef("pk"), slot=""))
    jobs = Job.objects.select_related("state", "group").annotate(now=NowPlus(), is_open=is_open)
    return jobs.filter(pk=pk).first()


def compute_edit_effects(edited: Job, saved: Job | None = None) -> EditEffects:
    """The effects of saving ``edited``, an unsaved copy of ``saved`` with a valid schedule, or a new job.

    ``saved``: from ``fetch_saved_job``. Executes two more statements. Where they are needed, also one each for its
    calendars, the calendars of other jobs, the workers, and the queues of other jobs.
    """
    now: dt.datetime = saved.__dict__["now"] if saved is not None else database_now()
    closed = read_closed_times({job.calendar_id for job in (saved, edited) if job is not None and job.calendar_id})
    before = timetable_of_job(saved, closed.get(saved.calendar_id or 0, ())) if saved is not None else None
    after = timetable_of_job(edited, closed.get(edited.calendar_id or 0, ()))
    state = _state_or_empty(saved)
    times = compare_scheduled_times(before, after, now, MAX_COMPARED_TIMES)
    last = min(max((row.instant + after.jitter for row in times), default=now), now + DAY)
    starting = jobs_in_same_minute(
        times, after.jitter, fetch_other_jobs_starting_before(edited.pk, last + _MINUTE), now
    )
    usual, slow = (_forecast_self_overlap(edited, seconds, before, after, now) for seconds in (state.p50, state.p95))
    found = EditEffects(
        now=now,
        is_new=saved is None,
        times=times,
        same_minute_job_counts={instant: len(states) for instant, states in starting.items()},
        runs_per_day=(before.runs_per_day(now) if before else 0.0, after.runs_per_day(now)),
        overlap_of_usual_runs=usual,
        overlap_of_slow_runs=slow,
        collisions=find_overloaded_minutes(edited, state.p50, after.jitter, starting),
    )
    return found if saved is None else _add_effects_on_saved(found, saved, edited, state, after)


def _add_effects_on_saved(
    effects: EditEffects, saved: Job, edited: Job, state: JobState, new_timetable: Timetable
) -> EditEffects:
    """Add the effects on the saved job's due times and retry, and on the jobs that wait for it."""
    will_run = (edited.enabled and saved.force_run) or saved.__dict__["is_open"]
    return replace(
        effects,
        skipped=_times_skipped_by_save(saved, edited, state, effects.now),
        drops_retry=state.retry_at is not None and not edited.enabled,
        dependants=fetch_dependent_jobs(saved.pk, state, new_timetable, effects.now, will_run=will_run),
    )


def _state_or_empty(saved: Job | None) -> JobState:
    """Its state; an empty one for a job that was never booked."""
    state: JobState | None = getattr(saved, "state", None)
    return state if state is not None else JobState()


# -- the save itself -----------------------------------------------------------------------------------------


def _times_skipped_by_save(saved: Job, edited: Job, state: JobState, now: dt.datetime) -> TimesSkippedBySave | None:
    """What the booking of this edit would record, computed by the booking itself."""
    job = copy.copy(edited)
    job.edited_at = now
    run = apply_job_edit_to_state(job, copy.copy(state), now)
    if run is None or run.scheduled_for is None or run.covered_until is None:
        return None
    first, until, code = run.scheduled_for, run.covered_until, Code(run.code)
    spec = saved.spec if state.booked_fingerprint else job.spec
    try:
        count, last, instant = 0, first, next_instant_after(spec, first - _MICROSECOND)
        while instant is not None and instant <= until and count < MAX_SKIPPED_TIMES:
            count, last, instant = count + 1, instant, next_instant_after(spec, instant)
        has_more = instant is not None and instant <= until
        return TimesSkippedBySave(
            first, (latest_instant_until(spec, until) or last) if has_more else last, count, has_more, code
        )
    except ScheduleError:  # the saved schedule is invalid: of its times only the first is known
        return TimesSkippedBySave(first, until, 1, until > first, code)


# -- the job against itself ----------------------------------------------------------------------------------


def _forecast_self_overlap(
    edited: Job, seconds: float | None, before: Timetable | None, after: Timetable, now: dt.datetime
) -> SelfOverlap | None:
    if seconds is None:
        return None
    length = dt.timedelta(seconds=seconds)
    old, new = (
        forecast_overlaps(
            table.starts(now, now + DAY, MAX_STARTS) if table else [], length, edited.overlap, edited.catch_up
        )
        for table in (before, after)
    )
    return SelfOverlap(length, old, new)
