"""One run of a job, now, because a person or a program asks."""

from __future__ import annotations

import datetime as dt

from django.db import transaction
from django.utils.translation import gettext as _

from chroniker import lifecycle
from chroniker.clock import jump_detection
from chroniker.conf import settings
from chroniker.eligibility import due
from chroniker.exceptions import ClaimRefused, CommandRefused
from chroniker.executors.base import a_person_waits
from chroniker.job_commands import options, policy
from chroniker.lifecycle import plan
from chroniker.models import EventKind, Job, JobState, Run
from chroniker.scheduler import dispatch, retention


def run_now(job: Job, by: str, args: str | None = None) -> Run:
    """Claim and dispatch one run of ``job`` now, because ``by`` asks; the schedule stays where it is.

    ``args``: in place of the job's own arguments, for this run and its retries. Raises ``ClaimRefused`` with the
    reason when it may not run: it claims like everyone else.
    """
    if args is not None:
        _refuse_bad(job, args)
    if not Job.objects.filter(pk=job.pk, edited_at=None, state__isnull=False).exists():
        lifecycle.book([job.pk], _now_for_a_person())
    state = JobState.objects.select_related("job__group").get(pk=job.pk)
    _refuse_if_not_free(state)
    now = _now_for_a_person()
    try:
        claimed = lifecycle.claim([plan.by_hand(state, now, args)], now, wait=True)
    except jump_detection.ClockJumped as jump:
        raise ClaimRefused(due.clock_jump_message(jump.reading.suspended_because)) from jump
    if not claimed:
        _refuse_if_not_free(JobState.objects.select_related("job__group").get(pk=job.pk))
        raise ClaimRefused(_("Someone else changed or claimed the job just now; look again."))
    lifecycle.note(claimed[0].pk, EventKind.NOTE, _("asked for by %(who)s") % {"who": by})
    transaction.on_commit(lambda: _dispatch(claimed, now), using=settings.database, robust=True)
    transaction.on_commit(lambda: retention.trim([job.pk]), using=settings.database, robust=True)
    return claimed[0]


def _dispatch(claimed: list[Run], now: dt.datetime) -> None:
    with a_person_waits():
        dispatch.dispatch(claimed, now)


def _now_for_a_person() -> dt.datetime:
    try:
        return jump_detection.trusted_now()
    except jump_detection.ClockJumped as jump:
        raise ClaimRefused(due.clock_jump_message(jump.reading.suspended_because)) from jump


def _refuse_bad(job: Job, args: str) -> None:
    if not job.command:
        raise ClaimRefused(_("A raw command has its arguments in its own line; they cannot be others for once."))
    try:
        policy.management_argv(job.command, args)
        said = options.argument_error(job.command, args)
    except CommandRefused as refusal:
        raise ClaimRefused(str(refusal)) from refusal
    if said:
        raise ClaimRefused(said)


def _refuse_if_not_free(state: JobState) -> None:
    if reason := due.reason_cannot_run_now(state):
        raise ClaimRefused(reason)
