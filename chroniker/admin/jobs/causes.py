"""What starts a job besides its schedule: the table of causes in its schedule history, and “Discard what waits”."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from chroniker import lifecycle
from chroniker.admin.jobs.run_and_stop_views import redirect_to_next_url_or_job_page
from chroniker.admin.shared import run_and_stop
from chroniker.admin.shared.site_links import admin_url
from chroniker.conf import settings
from chroniker.insights import job_causes
from chroniker.insights.job_causes import ActivationWithTokens
from chroniker.insights.job_status import JobStatus
from chroniker.models import Activation, Job
from chroniker.reasons import Code
from chroniker.schedule import Frequency


def job_activations_context(job_admin: Any, request: HttpRequest, overview: JobStatus) -> dict[str, Any]:
    """The values for the template."""
    return {
        "causes": [_activation_row(each) for each in job_causes.fetch_latest_activations(overview.job.pk)],
        "n_waiting": overview.n_waiting,
        "may_discard": overview.n_waiting and job_admin.has_change_permission(request),
        "has_schedule": overview.job.frequency != Frequency.MANUAL,
    }


def _activation_row(cause: ActivationWithTokens) -> dict[str, Any]:
    row = cause.activation
    return {
        "made_at": row.made_at,
        "cause": _activation_cause_text(cause),
        "cause_url": admin_url("chroniker_run_change", row.cause) if cause.cause_token is not None else "",
        "state": {"": "waiting", Activation.Outcome.RUN: "ok", Activation.Outcome.REFUSED: "failed"}.get(
            row.outcome, "skipped"
        ),
        "word": Activation.Outcome(row.outcome).label if row.outcome else "",
        "run": cause.run_token,
        "run_url": admin_url("chroniker_run_change", row.run) if cause.run_token is not None else "",
        "reason": row.reason,
    }


def _activation_cause_text(cause: ActivationWithTokens) -> str:
    """The run whose end was the cause, or who requested the run."""
    row = cause.activation
    if row.cause is None:
        text = row.asked_by or _("a program")
        return _("%(who)s, key “%(key)s”") % {"who": text, "key": row.key} if row.key else text
    if cause.cause_token is None:
        return _("%(job)s, a run that was deleted") % {"job": row.cause_job}
    return _("%(job)s, run %(token)d") % {"job": row.cause_job, "token": cause.cause_token}


def discard_activations_view(job_admin: Any, request: HttpRequest, object_id: int) -> HttpResponse:
    """Discard all waiting activations of a job. Needs the permission to change jobs."""
    if not job_admin.has_change_permission(request):
        raise PermissionDenied
    job = get_object_or_404(Job, pk=object_id)
    if request.method == "POST":
        _discard_waiting_activations(request, job)
    return redirect_to_next_url_or_job_page(job_admin, request, job)


def _discard_waiting_activations(request: HttpRequest, job: Job) -> None:
    with transaction.atomic(using=settings.database):
        count = lifecycle.end_waiting_activations_of_jobs([job.pk], Code.DISCARDED)
        if count:
            run_and_stop.log_job_action(request, [job], _("Waiting activations discarded: %(n)d.") % {"n": count})
    text = ngettext(
        "%(n)d activation of “%(job)s” was discarded.", "%(n)d activations of “%(job)s” were discarded.", count
    )
    level = messages.SUCCESS if count else messages.INFO
    messages.add_message(request, level, text % {"n": count, "job": job})
