"""Run a job now, at the request of a person or a program."""

from __future__ import annotations

import datetime as dt

from django.db import transaction
from django.utils.translation import gettext as _

from chroniker import lifecycle
from chroniker.clock import jump_detection
from chroniker.conf import settings
from chroniker.eligibility import explanations
from chroniker.exceptions import ClaimRefused, CommandRefused
from chroniker.executors.base import limit_dispatch_time_for_waiting_person
from chroniker.job_commands import options
from chroniker.lifecycle import claim_plan
from chroniker.models import Job, JobState, Run
from chroniker.scheduler import dispatch, retention


def run_now(job: Job, requested_by: str, args: str | None = None, instant: dt.datetime | None = None) -> Run:
    """Claim and dispatch one run of ``job`` now, at the request of ``requested_by``. The schedule is not changed.

    ``args`` replaces the job's own arguments for this run and its retries. ``instant``: the scheduled time that the run
    is for, instead of now; raises ``ValueError`` if it has no time zone. The rules are the same as for a tick: raises
    ``ClaimRefused`` with the reason when the job may not run now.
    """
    if instant is not None and instant.utcoffset() is None:
        raise ValueError(f"{instant} has no time zone")
    if args is not None:
        check_arguments(job, args)
    if not Job.objects.filter(pk=job.pk, edited_at=None, state__isnull=False).exists():
        lifecycle.book_next_instants([job.pk], _read_trusted_now_or_refuse())
    state = JobState.objects.select_related("job__group").get(pk=job.pk)
    _refuse_if_not_runnable(state)
    now = _read_trusted_now_or_refuse()
    drawn = claim_plan.plan_manual_run(state, now, args, requested_by=requested_by, instant=instant)
    dispatch.assign_queues_to_plans([drawn])
    try:
        claimed = lifecycle.claim([drawn], now, wait_for_locks=True)
    except jump_detection.ClockJumped as jump:
        raise ClaimRefused(explanations.clock_jump_message(jump.reading.suspended_because)) from jump
    if not claimed:
        _refuse_if_not_runnable(JobState.objects.select_related("job__group").get(pk=job.pk))
        raise ClaimRefused(_("The job was changed or claimed by someone else just now; try again."))
    transaction.on_commit(lambda: _dispatch(claimed, now), using=settings.database, robust=True)
    transaction.on_commit(lambda: retention.delete_surplus_runs([job.pk]), using=settings.database, robust=True)
    return claimed[0]


def _dispatch(claimed: list[Run], now: dt.datetime) -> None:
    with limit_dispatch_time_for_waiting_person():
        dispatch.dispatch(claimed, now, is_new=True)


def _read_trusted_now_or_refuse() -> dt.datetime:
    try:
        return jump_detection.read_trusted_now()
    except jump_detection.ClockJumped as jump:
        raise ClaimRefused(explanations.clock_jump_message(jump.reading.suspended_because)) from jump


def check_arguments(job: Job, args: str) -> None:
    """Raises ``ClaimRefused`` if the job's command does not accept these arguments."""
    if not job.command:
        raise ClaimRefused(_("Raw commands have no separate arguments; edit the command instead."))
    try:
        problem = options.argument_error(job.command, args)
    except CommandRefused as refusal:
        raise ClaimRefused(str(refusal)) from refusal
    if problem:
        raise ClaimRefused(problem)


def _refuse_if_not_runnable(state: JobState) -> None:
    if reason := explanations.reason_job_cannot_run_now(state):
        raise ClaimRefused(reason)
