"""``cron --dry-run``: a forecast of a tick at this moment. Changes nothing."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from django.db import transaction
from django.db.models import QuerySet

from chroniker.clock import jump_detection
from chroniker.clock.database_clock import database_now
from chroniker.conf import settings
from chroniker.eligibility import explanations, pauses
from chroniker.eligibility.claim_kinds import any_kind_pending_condition
from chroniker.lifecycle.transactions import transactional
from chroniker.management.console import describe_run
from chroniker.models import Job, JobState, Run, Status
from chroniker.scheduler import tick
from chroniker.scheduler.stopping import stop_runs_of_jobs_with_force_stop
from chroniker.scheduler.tick_result import TickResult


@dataclass(slots=True)
class Forecast:
    """The forecast of a tick: the jobs it would start, and the reasons why it would not start other due jobs."""

    result: TickResult = field(default_factory=TickResult)
    skipped: list[Run] = field(default_factory=list)
    #: The job's name, and why it would not be claimed.
    unclaimed_jobs_with_reasons: list[tuple[str, str]] = field(default_factory=list)


def forecast_scheduled_claims(jobs: Sequence[Job] | None) -> list[str]:
    """The claims of the next tick (of these jobs, or of all), and the reasons for the other due jobs."""
    return list(_forecast_lines(forecast_tick([job.pk for job in jobs] if jobs is not None else None)))


def forecast_manual_claims(jobs: Sequence[Job]) -> list[str]:
    """Which of these jobs could be run by hand now, and why the others could not."""
    return [_manual_claim_forecast_line(job) for job in jobs]


def _manual_claim_forecast_line(job: Job) -> str:
    state = JobState.objects.select_related("job").filter(pk=job.pk).first()
    reason = explanations.reason_job_cannot_run_now(state) if state else pauses.read_pauses_of_jobs([job]).get(job.pk)
    return f"would refuse “{job.name}”: {reason}" if reason else f"would claim “{job.name}”: by hand"


@transactional
def forecast_tick(job_ids: list[int] | None, now: dt.datetime | None = None) -> Forecast:
    """Take the decisions of a tick in a transaction that is rolled back, so that they cannot differ from a tick's.

    Nothing is dispatched or sent. Until it ends, other ticks skip the jobs that it claimed; their next pass claims
    them. *Limits:* what other processes change between the forecast and the tick is not known, nor what
    an executor does that executes runs at once (``InlineExecutor``). ``now`` is for tests.
    """
    moment = now or database_now()
    before = set(Run.objects.filter(status=Status.SKIPPED, claimed_at__gte=moment).values_list("pk", flat=True))
    found = Forecast()
    if not jump_detection.suspended_because():
        found.result.lost = tick.expire_runs()
        stop_runs_of_jobs_with_force_stop()
        if pauses.global_pause() is None:
            for _claimed in tick.book_edits_and_claim_due_jobs(found.result, lambda: moment, job_ids):
                pass
    skipped = Run.objects.filter(status=Status.SKIPPED, claimed_at__gte=moment).exclude(pk__in=before)
    found.skipped = list(skipped.select_related("job").order_by("job__name", "token"))
    found.unclaimed_jobs_with_reasons = _explain_unclaimed_jobs(found, job_ids, moment)
    transaction.set_rollback(True, using=settings.database)
    return found


def _explain_unclaimed_jobs(forecast: Forecast, job_ids: list[int] | None, now: dt.datetime) -> list[tuple[str, str]]:
    done = {run.job_id for run in forecast.result.claimed} | {job.pk for job, _error in forecast.result.schedule_errors}
    states = list(_states_to_explain(job_ids, now).exclude(pk__in=done).select_related("job")[: settings.batch_size])
    reasons = explanations.explanation_texts(states, now)
    return [(state.job.name, reasons[state.pk]) for state in states]


def _states_to_explain(job_ids: list[int] | None, now: dt.datetime) -> QuerySet[JobState]:
    named = (
        JobState.objects.filter(any_kind_pending_condition(now))
        if job_ids is None
        else JobState.objects.filter(pk__in=job_ids)
    )
    return named.order_by("job__name")


def _forecast_lines(forecast: Forecast) -> Iterator[str]:
    for run in forecast.result.lost:
        yield f"would close {describe_run(run)} as lost: {run.reason}"
    for job, error in forecast.result.schedule_errors:
        yield f"would suspend the schedule of “{job.name}”: {error}"
    for run in forecast.skipped:
        yield f"would skip {describe_run(run)}: {run.reason}"
    for run in forecast.result.claimed:
        yield f"would claim {describe_run(run)}"
    for name, reason in forecast.unclaimed_jobs_with_reasons:
        yield f"would not claim “{name}”: {reason}"
