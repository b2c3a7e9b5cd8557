"""The addresses behind the buttons “Run”, “Stop” and “Resume” of a job."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from chroniker.admin.shared import run_and_stop
from chroniker.admin.shared.site_links import redirect_to
from chroniker.conf import settings
from chroniker.models import Job


def run_job_view(job_admin: Any, request: HttpRequest, object_id: int) -> HttpResponse:
    if not job_admin.has_run_permission(request):
        raise PermissionDenied
    job = get_object_or_404(Job, pk=object_id)
    if request.method == "POST":
        if "after" in request.POST:
            _request_run_after_open_run(request, job)
        else:
            run_and_stop.run_job(request, job)
    return redirect_to_next_url_or_job_page(job_admin, request, job)


def _request_run_after_open_run(request: HttpRequest, job: Job) -> None:
    """Set ``force_run``: the tick claims a run as soon as the open run has ended."""
    with transaction.atomic(using=settings.database):
        changed = Job.objects.filter(pk=job.pk, force_run=False).update(force_run=True)
        if changed:
            run_and_stop.log_job_action(
                request, [job], _("One more run was requested, to start when the open run has ended.")
            )
    messages.success(request, _("“%(job)s” runs once more when its open run has ended.") % {"job": job})


def stop_job_view(job_admin: Any, request: HttpRequest, object_id: int) -> HttpResponse:
    if not job_admin.has_stop_permission(request):
        raise PermissionDenied
    job = get_object_or_404(Job, pk=object_id)
    if request.method == "POST":
        run_and_stop.stop_job(request, job)
    return redirect_to_next_url_or_job_page(job_admin, request, job)


def resume_job_view(job_admin: Any, request: HttpRequest, object_id: int) -> HttpResponse:
    """Lift the hold of a job. Needs the permission to change jobs."""
    if not job_admin.has_change_permission(request):
        raise PermissionDenied
    job = get_object_or_404(Job, pk=object_id)
    if request.method == "POST":
        run_and_stop.resume_job(request, job)
    return redirect_to_next_url_or_job_page(job_admin, request, job)


def redirect_to_next_url_or_job_page(job_admin: Any, request: HttpRequest, job: Job) -> HttpResponse:
    """Redirect to the page that the form names in ``next``, else to the job's page.

    Also after a GET request: it is the redirect after a login, and the user must press the button again.
    """
    if not job_admin.has_view_or_change_permission(request):
        return redirect_to("index")
    back = request.POST.get("next", "")
    if back and url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure()):
        return redirect(back)
    return redirect_to("chroniker_job_status", job.pk)
