"""Run and stop, for one job or for many, with messages to the user. Each success adds an admin log entry."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from django.contrib import messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.db import transaction
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from chroniker import lifecycle
from chroniker.admin.shared.site_links import admin_url
from chroniker.conf import settings
from chroniker.exceptions import ClaimRefused
from chroniker.models import OPEN_STATUSES, Job, Lease, Run, Status
from chroniker.scheduler import manual_runs, stopping

if TYPE_CHECKING:
    from django.contrib.auth.models import User

#: The largest number of reasons or names in one message. The message only counts the others.
MAX_LISTED_IN_MESSAGE = 5


def run_job(request: HttpRequest, job: Job, args: str | None = None) -> Run | None:
    """Claim and dispatch one run of ``job``, and show the result; ``None`` if no run was claimed."""
    try:
        run = manual_runs.run_now(job, requested_by=request.user.get_username(), args=args)
    except ClaimRefused as refusal:
        messages.error(request, _("“%(job)s” was not started: %(why)s") % {"job": job, "why": refusal})
        return None
    text = _("Run %(token)d started manually.")
    if args is not None:
        text = _("Run %(token)d started manually with the arguments: %(args)s")
    log_job_action(request, [job], text % {"token": run.token, "args": args})
    run.refresh_from_db()
    _add_run_state_message(request, run)
    return run


def _add_run_state_message(request: HttpRequest, run: Run) -> None:
    """Show one message: the state of the run, with a link to its page.

    If the broker cannot be reached, the run waits for its dispatch, and the message gives the reason. With
    ``ATOMIC_REQUESTS`` the run is dispatched only after this request. A missing dispatch is then not a problem.
    """
    before_commit = transaction.get_connection(settings.database).in_atomic_block
    if run.status == Status.CLAIMED and run.dispatched_at is None and not before_commit:
        text = _("{run} of “{job}” is queued, but no executor has accepted it yet. {reason}")
        messages.warning(request, format_html(text, run=_run_link(request, run), job=run.job, reason=run.reason))
        return
    texts = {Status.CLAIMED: _("{run} of “{job}” is queued."), Status.RUNNING: _("{run} of “{job}” is running.")}
    text = texts.get(Status(run.status), _("{run} of “{job}” has ended: {status}."))
    status = Status(run.status).label
    messages.success(request, format_html(text, run=_run_link(request, run), job=run.job, status=status))


def _run_link(request: HttpRequest, run: Run) -> SafeString:
    """“Run 12”, as a link for people who may open its page."""
    text = _("Run %(token)d") % {"token": run.token}
    url = admin_url("chroniker_run_change", run.pk) if request.user.has_perm("chroniker.view_run") else ""
    return format_html('<a href="{}">{}</a>', url, text) if url else format_html("{}", text)


def run_jobs(request: HttpRequest, jobs: Iterable[Job]) -> None:
    """Like ``run_job`` for each job, but with one message for all."""
    started: list[Job] = []
    refused: list[str] = []
    for job in jobs:
        try:
            manual_runs.run_now(job, requested_by=request.user.get_username())
            started.append(job)
        except ClaimRefused as refusal:
            refused.append(_("“%(job)s”: %(why)s") % {"job": job, "why": refusal})
    log_job_action(request, started, _("Started manually."))
    if started:
        text = ngettext("%(n)d run was queued.", "%(n)d runs were queued.", len(started))
        messages.success(request, text % {"n": len(started)})
    if refused:
        text = ngettext("%(n)d job was not started.", "%(n)d jobs were not started.", len(refused))
        messages.warning(request, f"{text % {'n': len(refused)}} {_join_texts_up_to_limit(refused)}")


def stop_run(request: HttpRequest, run: Run) -> None:
    """Request a stop of ``run``. The message says what the run is doing after the request."""
    requested = stopping.stop_run(run.pk, requested_by=request.user.get_username())
    run.refresh_from_db()
    if requested:
        log_job_action(request, [run.job], _("Stop requested for run %(token)d.") % {"token": run.token})
    words = {"run": _run_link(request, run), "job": run.job, "status": Status(run.status).label}
    if run.status in OPEN_STATUSES:
        messages.success(request, format_html(_("{run} of “{job}”: stop requested."), **words))
    elif requested and run.status == Status.STOPPED and run.started_at is None:
        messages.success(request, format_html(_("{run} of “{job}” was cancelled before it started."), **words))
    else:
        messages.warning(request, format_html(_("{run} of “{job}” has already ended: {status}."), **words))


def stop_job(request: HttpRequest, job: Job) -> None:
    """Request a stop of the open run of ``job``."""
    lease = Lease.objects.filter(job=job, slot="").select_related("run__job").first()
    if lease is None:
        messages.info(request, _("“%(job)s” has no open run.") % {"job": job})
    else:
        stop_run(request, lease.run)


def stop_jobs(request: HttpRequest, jobs: Iterable[Job]) -> None:
    """Request a stop of the open run of each job."""
    by_id = {job.pk: job for job in jobs}
    leases = Lease.objects.filter(job__in=list(by_id), slot="").order_by("pk")
    stopped = {
        lease.job_id for lease in leases if stopping.stop_run(lease.run_id, requested_by=request.user.get_username())
    }
    log_job_action(request, [by_id[pk] for pk in stopped], _("Stop requested."))
    if stopped:
        text = ngettext("Stop requested for %(n)d job.", "Stop requested for %(n)d jobs.", len(stopped))
        messages.success(request, text % {"n": len(stopped)})
    if idle := len(by_id) - len(stopped):
        text = ngettext("%(n)d job has no open run.", "%(n)d jobs have no open run.", idle)
        messages.info(request, text % {"n": idle})


def resume_job(request: HttpRequest, job: Job) -> None:
    """Lift the hold of ``job``."""
    with transaction.atomic(using=settings.database):
        resumed = lifecycle.resume_jobs([job.pk])
        if resumed:
            log_job_action(request, [job], _("Resumed after the hold."))
    url = admin_url("chroniker_job_status", job.pk)
    link = format_html('<a href="{}">{}</a>', url, job.name) if url else job.name
    if resumed:
        text = _("{job} was resumed. Its due runs start at the next tick.")
        messages.success(request, format_html(text, job=link))
    else:
        messages.info(request, format_html(_("{job} was not held."), job=link))


def log_job_action(request: HttpRequest, jobs: list[Job], message: str) -> None:
    """Write an entry into the admin's log for each job."""
    if jobs:
        user: User = request.user  # type: ignore[assignment]  # these views need a login
        LogEntry.objects.log_actions(user.pk, jobs, CHANGE, message)


def _join_texts_up_to_limit(texts: list[str]) -> str:
    more = len(texts) - MAX_LISTED_IN_MESSAGE
    rest = [_("and %(n)d more") % {"n": more}] if more > 0 else []
    return " ".join([*texts[:MAX_LISTED_IN_MESSAGE], *rest])
