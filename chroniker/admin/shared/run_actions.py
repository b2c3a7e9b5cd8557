"""Run and Stop, as one press of a button or for many jobs at once. Each success leaves an admin log entry."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from django.contrib import messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from chroniker.conf import settings
from chroniker.exceptions import ClaimRefused
from chroniker.models import OPEN, Job, Lease, Run, Status
from chroniker.scheduler import manual_runs, stopping

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: Reasons that one message names; the others are only counted.
MOST_NAMED = 5


def run_job(request: HttpRequest, job: Job, args: str | None = None) -> bool:
    """Claim and dispatch one run of ``job``, and tell the person what came of it; whether it was claimed."""
    try:
        run = manual_runs.run_now(job, by=request.user.get_username(), args=args)
    except ClaimRefused as refusal:
        messages.error(request, _("“%(job)s” was not started: %(why)s") % {"job": job, "why": refusal})
        return False
    said = _("Run %(token)d started manually.")
    if args is not None:
        said = _("Run %(token)d started manually with the arguments: %(args)s")
    log(request, [job], said % {"token": run.token, "args": args})
    run.refresh_from_db()
    tell_what_became_of(request, job, run)
    return True


def tell_what_became_of(request: HttpRequest, job: Job, run: Run) -> None:
    """A claim is not yet a run: without a broker it waits, and the person should know why.

    Within a transaction of the request's (``ATOMIC_REQUESTS``) it is dispatched only after it: the job's page tells.
    """
    early = transaction.get_connection(settings.database).in_atomic_block
    words = {"job": job, "token": run.token, "why": run.reason}
    if run.status == Status.CLAIMED and run.dispatched_at is None and not early:
        text = _("Run %(token)d of “%(job)s” is queued, but no executor has accepted it yet. %(why)s")
        messages.warning(request, (text % words).strip())
    else:
        messages.success(request, _("Run %(token)d of “%(job)s” is queued.") % words)


def run_jobs(request: HttpRequest, jobs: Iterable[Job]) -> None:
    """Like ``run_job`` for each, with one message for all."""
    started: list[Job] = []
    refused: list[str] = []
    for job in jobs:
        try:
            manual_runs.run_now(job, by=request.user.get_username())
            started.append(job)
        except ClaimRefused as refusal:
            refused.append(_("“%(job)s”: %(why)s") % {"job": job, "why": refusal})
    log(request, started, _("Started manually."))
    if started:
        said = ngettext("%(n)d run was queued.", "%(n)d runs were queued.", len(started))
        messages.success(request, said % {"n": len(started)})
    if refused:
        said = ngettext("%(n)d job was not started.", "%(n)d jobs were not started.", len(refused))
        messages.warning(request, f"{said % {'n': len(refused)}} {_named(refused)}")


def stop_run(request: HttpRequest, run: Run) -> None:
    """Ask one run to stop, and tell the person what came of it."""
    if not stopping.stop(run.pk, by=request.user.get_username()):
        messages.warning(request, _("Run %(token)d had already ended.") % {"token": run.token})
        return
    log(request, [run.job], _("Stop of run %(token)d requested.") % {"token": run.token})
    run.refresh_from_db()
    if run.status in OPEN:
        messages.success(request, _("Stop of run %(token)d requested.") % {"token": run.token})
    else:
        messages.success(request, _("Run %(token)d was stopped before it started.") % {"token": run.token})


def stop_jobs(request: HttpRequest, jobs: Iterable[Job]) -> None:
    """Ask every open run of these jobs to stop."""
    by_id = {job.pk: job for job in jobs}
    leases = Lease.objects.filter(job__in=list(by_id), slot="").order_by("pk")
    stopped = {lease.job_id for lease in leases if stopping.stop(lease.run_id, by=request.user.get_username())}
    log(request, [by_id[pk] for pk in stopped], _("Stop requested."))
    if stopped:
        said = ngettext("Stop of %(n)d job requested.", "Stop of %(n)d jobs requested.", len(stopped))
        messages.success(request, said % {"n": len(stopped)})
    if idle := len(by_id) - len(stopped):
        said = ngettext("%(n)d job has no open run.", "%(n)d jobs have no open run.", idle)
        messages.info(request, said % {"n": idle})


def log(request: HttpRequest, jobs: list[Job], message: str) -> None:
    """Entries in the admin's history, one for each job."""
    if jobs:
        user: User = request.user  # type: ignore[assignment]  # nobody else gets here
        LogEntry.objects.log_actions(user.pk, jobs, CHANGE, message)


def _named(texts: list[str]) -> str:
    more = len(texts) - MOST_NAMED
    rest = [_("and %(n)d more") % {"n": more}] if more > 0 else []
    return " ".join([*texts[:MOST_NAMED], *rest])
