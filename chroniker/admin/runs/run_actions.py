"""The buttons of a run's page: stop it, run it again, download its output."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _

from chroniker.admin.runs.output_download import output_download_response
from chroniker.admin.shared import run_and_stop
from chroniker.admin.shared.console_page import render_console_page
from chroniker.admin.shared.site_links import admin_url_if_viewable, redirect_to
from chroniker.models import OPEN_STATUSES, Run


def stop_run_view(run_admin: Any, request: HttpRequest, object_id: UUID) -> HttpResponse:
    """GET shows the page that asks whether to stop the run. POST requests the stop."""
    if not request.user.has_perm("chroniker.stop_job"):
        raise PermissionDenied
    run = _fetch_run_or_404(object_id)
    if request.method == "POST":
        run_and_stop.stop_run(request, run)
    elif run.status in OPEN_STATUSES:
        return _stop_question_page(run_admin, request, run)
    return _redirect_to_run(run_admin, request, run)


def run_again_view(run_admin: Any, request: HttpRequest, object_id: UUID) -> HttpResponse:
    """POST runs the job once more with the arguments of this run, and redirects to the new run."""
    if not request.user.has_perm("chroniker.run_job"):
        raise PermissionDenied
    run = _fetch_run_or_404(object_id)
    if request.method == "POST":
        run = run_and_stop.run_job(request, run.job, run.args) or run
    return _redirect_to_run(run_admin, request, run)


def download_output_view(run_admin: Any, request: HttpRequest, object_id: UUID) -> HttpResponse:
    if not run_admin.has_view_permission(request):
        raise PermissionDenied
    return output_download_response(request, _fetch_run_or_404(object_id))  # type: ignore[return-value]


def _stop_question_page(run_admin: Any, request: HttpRequest, run: Run) -> HttpResponse:
    words, url = {"token": run.token, "job": run.job.name}, admin_url_if_viewable("chroniker_run_change", run.pk)
    context = {
        "title": _("Stop run %(token)d?") % words if run.started_at else _("Cancel run %(token)d?") % words,
        "console_trail": [(_("%(job)s, run %(token)d") % words, url)],
        "run": run,
        "back_url": url,
    }
    return render_console_page(run_admin.admin_site, request, "chroniker/console/run/stop.html", "runs", context)


def _redirect_to_run(run_admin: Any, request: HttpRequest, run: Run) -> HttpResponse:
    """Redirect to the run's page. After a GET (the redirect after a login) the user must press the button again."""
    if run_admin.has_view_permission(request):
        return redirect_to("chroniker_run_change", run.pk)
    return redirect_to("index")


def _fetch_run_or_404(run_id: UUID) -> Run:
    return get_object_or_404(Run.objects.select_related("job"), pk=run_id)
