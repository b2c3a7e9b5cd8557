"""The status of jobs for pages and commands, read with a constant number of statements."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import models
from django.utils.translation import gettext_lazy as _

from chroniker.clock.database_clock import database_now
from chroniker.eligibility import explanations, hosts, pauses
from chroniker.eligibility.liveness import FleetSnapshot
from chroniker.insights import health_facts
from chroniker.insights.durations import fetch_expected_durations
from chroniker.models import Job, JobState, Lease, Status
from chroniker.schedule import Frequency


class JobCondition(models.TextChoices):
    """A job's condition in one word. The values are a stable interface for programs; the labels are for people."""

    RUNNING = "running", _("running")
    STOPPING = "stopping", _("stopping")
    QUEUED = "queued", _("queued")
    DISABLED = "disabled", _("disabled")
    SCHEDULE_ERROR = "schedule_error", _("schedule error")
    HELD = "held", _("held")
    RETRYING = "retrying", _("retrying")
    DUE = "due", _("due")
    NEW = "new", _("new")
    MANUAL = "manual", _("manual")
    OVER = "over", _("over")
    IDLE = "idle", _("idle")


@dataclass(frozen=True, slots=True)
class JobStatus:
    """A job, its state and its lease at ``now``."""

    job: Job
    state: JobState
    lease: Lease | None
    why: str
    now: dt.datetime
    expected_duration: dt.timedelta | None = None  #: from past runs; only while it runs
    no_live_host_message: str = ""  #: if its required host is not live
    pause: pauses.Pause | None = None  #: the pause that applies to it
    n_waiting: int = 0  #: activations that wait for it
    is_held: bool = False  #: it is due, and a rule holds it back: a pause, a dependency, its group, a failure
    overdue_threshold: dt.timedelta = health_facts.MIN_OVERDUE_THRESHOLD  #: how long it may be due before it is overdue

    @property
    def is_open(self) -> bool:
        return self.lease is not None

    @property
    def condition(self) -> JobCondition:
        if self.lease is not None:
            return _condition_of_lease(self.lease)
        if not self.job.enabled:
            return JobCondition.DISABLED
        if self.state.schedule_error:
            return JobCondition.SCHEDULE_ERROR
        if self.state.held_at is not None and not self.job.force_run:
            return JobCondition.HELD
        if self.state.retry_at is not None:
            return JobCondition.RETRYING
        if (
            self.job.force_run
            or self.n_waiting
            or (self.state.next_run is not None and self.state.next_run <= self.now)
        ):
            return JobCondition.DUE
        if self.state.next_run is None:
            return JobCondition.NEW if self.job.edited_at else self._condition_without_next_run
        return JobCondition.IDLE

    @property
    def _condition_without_next_run(self) -> JobCondition:
        return JobCondition.MANUAL if self.job.frequency == Frequency.MANUAL else JobCondition.OVER

    @property
    def state_code(self) -> str:
        """The code of its state, as in ``chroniker.wording.states``."""
        condition = self.condition
        if condition == JobCondition.DUE or (condition == JobCondition.RETRYING and self._is_overdue):
            return self._state_code_when_due()
        if condition in (JobCondition.IDLE, JobCondition.MANUAL) and self.state.failures:
            return "failing"
        if condition == JobCondition.HELD:
            return "on_hold"
        if condition == JobCondition.OVER:
            return "ended"
        return str(condition.value)

    def _state_code_when_due(self) -> str:
        if self.is_held:
            return "paused" if self.pause is not None else "waiting"
        return "overdue" if self._is_overdue else "due"

    @property
    def _is_overdue(self) -> bool:
        """Whether it has been due for too long, while no rule holds it back."""
        due_at = self.state.next_run
        return not self.is_held and due_at is not None and due_at <= self.now - self.overdue_threshold

    @property
    def is_self_explanatory(self) -> bool:
        """Whether condition and next run need no explanation: it runs, or its next run is in the future, and no
        activation waits."""
        if self.lease is not None:
            return self.lease.run.status == Status.RUNNING and not self.n_waiting
        if self.no_live_host_message and self.job.enabled:
            return False
        waits = self.state.next_run is not None and self.state.next_run > self.now
        return waits and self.condition == JobCondition.IDLE and self.pause is None and self.job.edited_at is None

    @property
    def next_run(self) -> dt.datetime | None:
        """``None`` also while it is held: the time of its next run is unknown."""
        return self.state.next_run if self.job.enabled and self.state.held_at is None else None

    @property
    def last_status(self) -> Status | None:
        """The status of the latest closed run."""
        ended = self.state.last_status and self.state.last_finished_at is not None
        return Status(self.state.last_status) if ended else None


def _condition_of_lease(lease: Lease) -> JobCondition:
    if lease.run.status != Status.RUNNING:
        return JobCondition.QUEUED
    return JobCondition.STOPPING if lease.run.stop_requested_at is not None else JobCondition.RUNNING


def fetch_job_status(
    jobs: Sequence[Job], now: dt.datetime | None = None, snapshot: FleetSnapshot | None = None
) -> dict[int, JobStatus]:
    """The status by job id. A constant number of statements, besides those of the health, which are
    cached. A job that was never booked gets an empty state.

    ``now`` and ``snapshot``: the database's clock, and the processes that tick and work, if the caller has read them.
    States and groups that the jobs carry are not read again.
    """
    now, ids = now or database_now(), [job.pk for job in jobs]
    states = _states_by_job(jobs)
    leases = {lease.job_id: lease for lease in Lease.objects.filter(job__in=ids, slot="").select_related("run")}
    held = pauses.read_pauses_of_jobs(jobs)
    missing = hosts.no_live_host_messages(jobs)
    reasons = explanations.explain_why_not_running(list(states.values()), now, held, missing, leases, snapshot)
    expected = _usual_durations(states, leases)
    overdue_threshold = _read_overdue_threshold(states, now)
    return {
        job.pk: JobStatus(
            job,
            states[job.pk],
            leases.get(job.pk),
            reasons[job.pk].text,
            now,
            expected_duration=expected.get(job.pk),
            no_live_host_message=missing.get(job.pk, ""),
            pause=held.get(job.pk),
            n_waiting=reasons[job.pk].n_waiting,
            is_held=reasons[job.pk].is_held,
            overdue_threshold=overdue_threshold,
        )
        for job in jobs
    }


def _states_by_job(jobs: Sequence[Job]) -> dict[int, JobState]:
    """By job id. At most one statement."""
    carried = [job for job in jobs if "state" in job._state.fields_cache]
    states = {job.pk: job.state for job in carried if job._state.fields_cache["state"] is not None}
    if others := [job.pk for job in jobs if "state" not in job._state.fields_cache]:
        states |= {state.pk: state for state in JobState.objects.filter(pk__in=others)}
    for job in jobs:
        if job.pk not in states:
            states[job.pk] = JobState(job_id=job.pk)
        states[job.pk].job = job
    return states


def _read_overdue_threshold(states: dict[int, JobState], now: dt.datetime) -> dt.timedelta:
    """Reads the health only if a job may be overdue."""
    soonest = health_facts.MIN_OVERDUE_THRESHOLD
    may_be = any(state.next_run is not None and state.next_run <= now - soonest for state in states.values())
    return health_facts.get_cached_overdue_threshold(now) if may_be else soonest


def _usual_durations(states: dict[int, JobState], leases: dict[int, Lease]) -> dict[int, dt.timedelta]:
    """The usual durations of the jobs that run. A statement only for those without a stored median."""
    running = [pk for pk, lease in leases.items() if lease.run.status == Status.RUNNING]
    stored = {pk: dt.timedelta(seconds=usual) for pk in running if (usual := states[pk].p50) is not None}
    return {**fetch_expected_durations([pk for pk in running if pk not in stored]), **stored}
