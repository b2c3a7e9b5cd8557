"""The addresses behind “Retry now” and “Cancel retry” of a job whose last run failed."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _

from chroniker import lifecycle
from chroniker.admin.jobs.run_and_stop_views import redirect_to_next_url_or_job_page
from chroniker.admin.shared.run_and_stop import log_job_action
from chroniker.conf import settings
from chroniker.models import Job


def retry_now_view(job_admin: Any, request: HttpRequest, object_id: int) -> HttpResponse:
    return _retry_now_or_cancel(job_admin, request, object_id, is_cancel=False)


def cancel_retry_view(job_admin: Any, request: HttpRequest, object_id: int) -> HttpResponse:
    return _retry_now_or_cancel(job_admin, request, object_id, is_cancel=True)


def _retry_now_or_cancel(job_admin: Any, request: HttpRequest, object_id: int, *, is_cancel: bool) -> HttpResponse:
    if not job_admin.has_run_permission(request):
        raise PermissionDenied
    job = get_object_or_404(Job, pk=object_id)
    if request.method == "POST":
        with transaction.atomic(using=settings.database):
            done = lifecycle.cancel_retry(job.pk) is not None if is_cancel else lifecycle.make_retry_due_now(job.pk)
            if done:
                log_job_action(
                    request, [job], _("Retry cancelled.") if is_cancel else _("Retry moved to the current time.")
                )
        if not done and is_cancel:
            messages.info(request, _("“%(job)s” has no pending retry.") % {"job": job})
        elif not done:
            messages.info(request, _("“%(job)s” has no pending retry, or its retry is already due.") % {"job": job})
        elif is_cancel:
            messages.success(request, _("The retry of “%(job)s” was cancelled.") % {"job": job})
        else:
            messages.success(request, _("“%(job)s” is retried by the next tick.") % {"job": job})
    return redirect_to_next_url_or_job_page(job_admin, request, job)
