"""What runs now and what waits, for the start page. A constant number of statements."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from chroniker.eligibility import explanations
from chroniker.eligibility.pauses import Pause
from chroniker.insights import health_facts
from chroniker.insights.durations import EndEstimate, estimate_end
from chroniker.models import Group, Job, JobState, Lease, Run, Status

#: The most rows of each table, and the most open runs that are counted.
MAX_ROWS, MAX_OPEN_RUNS = 20, 1_000
#: Jobs that are counted as on schedule.
MAX_JOBS_COUNTED = 1_000


@dataclass(frozen=True, slots=True)
class RunningRun:
    """``usual_duration``: the median of its job's latest successes."""

    run: Run
    lease: Lease
    usual_duration: dt.timedelta | None
    estimate: EndEstimate

    @property
    def ends_at(self) -> dt.datetime | None:
        """When the run probably ends: estimated from its progress, otherwise from past runs."""
        return self.estimate.end_by_progress or self.estimate.end_by_past_runs


@dataclass(frozen=True, slots=True)
class WaitingJob:
    """``code``: a code of ``wording.states``. ``run``: its queued run, if it is claimed."""

    job: Job
    code: str
    since: dt.datetime | None
    why: str
    run: Run | None = None


@dataclass(frozen=True, slots=True)
class CurrentWork:
    """``n_running``, ``n_queued``: counts of the first ``MAX_OPEN_RUNS`` open runs. The lists hold the first
    ``MAX_ROWS`` rows."""

    running: list[RunningRun]
    waiting: list[WaitingJob]
    n_running: int
    n_queued: int
    n_due: int  #: jobs that are due without a run; at most ``MAX_JOBS_COUNTED``
    n_on_schedule: int  #: enabled jobs with a later next run; at most ``MAX_JOBS_COUNTED`` and one more

    @property
    def n_waiting(self) -> int:
        return self.n_queued + self.n_due


def fetch_current_work(now: dt.datetime, global_pause: Pause | None = None) -> CurrentWork:
    """``global_pause``: the pause over all jobs, which the caller has read."""
    leases = list(
        Lease.objects.filter(slot="").select_related("run", "job__state", "job__group").order_by("pk")[:MAX_OPEN_RUNS]
    )
    running = sorted(
        (_running_run_of_lease(lease, now) for lease in leases if lease.run.status == Status.RUNNING), key=_start_time
    )
    queued = [lease for lease in leases if lease.run.status == Status.CLAIMED]
    open_jobs = Lease.objects.filter(slot="").values("job")
    overdue = JobState.objects.filter(next_run__lte=now, job__enabled=True).exclude(pk__in=open_jobs)
    states = list(overdue.select_related("job__group").order_by("next_run")[: MAX_ROWS + 1])
    n_due = len(states) if len(states) <= MAX_ROWS else overdue.order_by()[:MAX_JOBS_COUNTED].count()
    later = JobState.objects.filter(next_run__gt=now, job__enabled=True).order_by()
    return CurrentWork(
        running=running[:MAX_ROWS],
        waiting=_waiting_jobs(queued[:MAX_ROWS], states[:MAX_ROWS], now, global_pause)[:MAX_ROWS],
        n_running=len(running),
        n_queued=len(queued),
        n_due=n_due,
        n_on_schedule=later[: MAX_JOBS_COUNTED + 1].count(),
    )


@dataclass(frozen=True, slots=True)
class OpenRunCounts:
    """The first ``MAX_OPEN_RUNS`` open runs in numbers, for a person who wants to pause."""

    n_running: int
    n_queued: int
    n_unknown: int  #: running ones whose end cannot be estimated
    last_to_end: RunningRun | None  #: probably, of the running ones


def fetch_open_run_counts(now: dt.datetime, group: Group | None = None) -> OpenRunCounts:
    """``group``: count only the runs of its jobs. One statement."""
    leases = Lease.objects.filter(slot="").select_related("run", "job__state").order_by("pk")
    rows = list((leases if group is None else leases.filter(job__group=group))[:MAX_OPEN_RUNS])
    running = [_running_run_of_lease(lease, now) for lease in rows if lease.run.status == Status.RUNNING]
    known = [(each.ends_at, each) for each in running if each.ends_at is not None and each.ends_at > now]
    last = max(known, key=lambda pair: pair[0])[1] if known else None
    return OpenRunCounts(len(running), len(rows) - len(running), len(running) - len(known), last)


def _start_time(running: RunningRun) -> dt.datetime:
    return running.run.started_at or running.run.claimed_at


def _running_run_of_lease(lease: Lease, now: dt.datetime) -> RunningRun:
    state = getattr(lease.job, "state", None)
    usual = dt.timedelta(seconds=state.p50) if state is not None and state.p50 is not None else None
    found = estimate_end(
        lease.run.started_at,
        now,
        total_parts=lease.total_parts,
        done_parts=lease.total_parts_complete,
        expected_duration=usual,
    )
    return RunningRun(lease.run, lease, usual, found)


def _waiting_jobs(
    leases: Sequence[Lease], states: Sequence[JobState], now: dt.datetime, global_pause: Pause | None
) -> list[WaitingJob]:
    queued = [WaitingJob(lease.job, "queued", lease.run.claimed_at, lease.run.reason, lease.run) for lease in leases]
    if not states:
        return queued
    pauses = {state.pk: global_pause for state in states} if global_pause else None
    found = explanations.explain_why_not_running(
        states, now, pauses, leases={}, snapshot=health_facts.get_cached_health_facts(now)
    )
    overdue_before = now - health_facts.get_cached_overdue_threshold(now)
    return queued + [_waiting_job_of_state(state, found[state.pk], overdue_before) for state in states]


def _waiting_job_of_state(
    state: JobState, explanation: explanations.JobExplanation, overdue_before: dt.datetime
) -> WaitingJob:
    late = state.next_run is not None and state.next_run <= overdue_before
    code = "waiting" if explanation.is_held else "overdue" if late else "due"
    return WaitingJob(state.job, code, state.next_run, explanation.text)
