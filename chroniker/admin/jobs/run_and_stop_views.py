"""The addresses behind the buttons “Run” and “Stop” of a job."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls.resolvers import URLPattern

from chroniker.admin.shared import run_and_stop
from chroniker.admin.shared.console_page import page_path
from chroniker.admin.shared.site_links import redirect_to
from chroniker.models import Job


def urls(job_admin: Any) -> list[URLPattern]:
    return [
        page_path(job_admin, "<int:object_id>/run/", run_view, "chroniker_job_run"),
        page_path(job_admin, "<int:object_id>/stop/", stop_view, "chroniker_job_stop"),
    ]


def run_view(job_admin: Any, request: HttpRequest, object_id: int) -> HttpResponse:
    if not job_admin.has_run_permission(request):
        raise PermissionDenied
    job = get_object_or_404(Job, pk=object_id)
    if request.method == "POST":
        run_and_stop.run_job(request, job)
    return back_to_job(job_admin, request, job)


def stop_view(job_admin: Any, request: HttpRequest, object_id: int) -> HttpResponse:
    if not job_admin.has_stop_permission(request):
        raise PermissionDenied
    job = get_object_or_404(Job, pk=object_id)
    if request.method == "POST":
        run_and_stop.stop_job(request, job)
    return back_to_job(job_admin, request, job)


def back_to_job(job_admin: Any, request: HttpRequest, job: Job) -> HttpResponse:
    """To the job's page, also after a GET: after a login the person has to press the button again."""
    if job_admin.has_view_or_change_permission(request):
        return redirect_to("chroniker_job_change", job.pk)
    return redirect_to("index")
