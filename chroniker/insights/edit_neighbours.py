"""Other jobs that an edit of one job affects: those that start in the same minute, and those that wait for it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, takewhile

from chroniker.exceptions import ScheduleError
from chroniker.insights.light_states import read_partial_states
from chroniker.insights.timetable import DAY, ComparedTime, Timetable, find_times_without_new_result
from chroniker.models import Job, JobDependency, JobState, Status
from chroniker.models.calendar import read_closed_times
from chroniker.models.schedule_fields import SPEC_FIELDS
from chroniker.schedule import jitter, validate_schedule

#: The most other jobs that are examined, and the most schedules that are computed. For the rest, the next run counts.
MAX_OTHER_JOBS, MAX_SCHEDULES_COMPUTED = 2000, 300
#: The most dependent jobs that are examined, and the most scheduled times of each.
MAX_DEPENDENT_JOBS, MAX_TIMES_PER_DEPENDENT = 50, 10
#: The most scheduled times that are searched for one outside the blackouts.
MAX_TIMES_SEARCHED = 1000

_MINUTE, _MICROSECOND = dt.timedelta(minutes=1), dt.timedelta(microseconds=1)
_PARTIAL_STATE_COLUMNS = ("job_id", "next_run", "p50")
_JOB_COLUMNS = ("id", "name", "group_id", "calendar_id", "executor", "queue", "jitter_seconds", *SPEC_FIELDS)


@dataclass(frozen=True, slots=True)
class DependentJob:
    """A job that waits for the edited one."""

    job_id: int
    name: str
    can_never_start: bool  #: the edited job has to succeed first, and nothing starts it any more
    stale_time_count: int  #: examined times without a new run of the edited job since the previous time
    examined_time_count: int


def fetch_other_jobs_starting_before(job_id: int | None, before: dt.datetime) -> list[JobState]:
    """The other enabled jobs whose next run comes before ``before``, the earliest first. One statement."""
    states = JobState.objects.filter(next_run__lt=before, job__enabled=True).exclude(pk=job_id)
    return [
        state
        for state, _more in read_partial_states(
            states.order_by("next_run"), MAX_OTHER_JOBS, _PARTIAL_STATE_COLUMNS, _JOB_COLUMNS
        )
    ]


def jobs_in_same_minute(
    times: Collection[ComparedTime], offset: dt.timedelta, others: Sequence[JobState], now: dt.datetime
) -> dict[dt.datetime, list[JobState]]:
    """For each scheduled time of the next day that runs: the other jobs that start in the same minute.

    Jobs of the same schedule, jitter and calendar are computed together. One statement where one has a calendar.
    """
    closed = read_closed_times({state.job.calendar_id for state in others if state.job.calendar_id})
    alike: dict[tuple[Timetable, dt.timedelta], list[JobState]] = {}
    for state in others:
        table = Timetable(state.job.spec, tuple(closed.get(state.job.calendar_id or 0, ())))
        alike.setdefault((table, jitter(state.job_id, state.job.jitter_seconds)), []).append(state)
    found: dict[dt.datetime, list[JobState]] = {}
    for row in times:
        if row.runs_after and row.instant + offset < now + DAY:
            low = (row.instant + offset).replace(second=0, microsecond=0)
            found[row.instant] = [
                state
                for number, ((table, delay), states) in enumerate(alike.items())
                for state in _jobs_starting_in_minute(
                    table, delay, states, low, is_computed=number < MAX_SCHEDULES_COMPUTED
                )
            ]
    return found


def _jobs_starting_in_minute(
    timetable: Timetable, delay: dt.timedelta, states: list[JobState], minute: dt.datetime, *, is_computed: bool
) -> list[JobState]:
    """The jobs of ``states`` that start in this minute. All of them have this timetable and delay."""
    if is_computed:
        try:
            times = takewhile(
                lambda instant: instant < minute + _MINUTE - delay, timetable.instants(minute - delay - _MICROSECOND)
            )
            return states if any(not timetable.blackout_name(instant) for instant in times) else []
        except ScheduleError:  # stored without the form's validation; its next run was computed before
            pass
    return [state for state in states if state.next_run is not None and minute <= state.next_run < minute + _MINUTE]


def fetch_dependent_jobs(
    job_id: int, state: JobState, new_timetable: Timetable, now: dt.datetime, *, will_run: bool
) -> list[DependentJob]:
    """The enabled jobs that wait for this one. One statement. ``will_run``: as for ``can_dependant_never_start``."""
    edges = JobDependency.objects.filter(dependee=job_id, dependent__enabled=True).select_related("dependent")
    return [
        DependentJob(
            edge.dependent_id,
            edge.dependent.name,
            can_dependant_never_start(edge, state, new_timetable, now, will_run=will_run),
            *_count_times_without_new_result(new_timetable, edge.dependent, now),
        )
        for edge in edges.order_by("dependent__name")[:MAX_DEPENDENT_JOBS]
    ]


def can_dependant_never_start(
    dependency: JobDependency, state: JobState, new_timetable: Timetable, now: dt.datetime, *, will_run: bool
) -> bool:
    """Whether only a success of the edited job lets the dependant start, and nothing will start the edited job.

    ``will_run``: it has an open run, or a request to run. A run by hand can always end the wait.
    """
    if will_run or not dependency.wait_for_success or state.last_status == Status.SUCCEEDED:
        return False
    will_retry = new_timetable.enabled and state.retry_at is not None
    return not will_retry and next(_instants_outside_blackouts(new_timetable, now), None) is None


def _instants_outside_blackouts(timetable: Timetable, now: dt.datetime) -> Iterator[dt.datetime]:
    return (
        instant
        for instant in islice(timetable.instants(now), MAX_TIMES_SEARCHED)
        if not timetable.blackout_name(instant)
    )


def _count_times_without_new_result(new_timetable: Timetable, dependant: Job, now: dt.datetime) -> tuple[int, int]:
    """How many times are stale, and how many were examined. Blackouts of the dependant are not considered."""
    stale, examined = find_times_without_new_result(
        new_timetable, timetable_of_job(dependant, ()), now, MAX_TIMES_PER_DEPENDENT
    )
    return len(stale), examined


def timetable_of_job(job: Job, closed: Sequence[object]) -> Timetable:
    """The timetable of this job; without times if its schedule is invalid, because then nothing starts it."""
    try:
        validate_schedule(job.spec)
    except ScheduleError:
        return Timetable(job.spec, enabled=False)
    delay = jitter(job.pk or 0, job.jitter_seconds)
    return Timetable(job.spec, tuple(closed), delay, job.enabled)  # type: ignore[arg-type]
