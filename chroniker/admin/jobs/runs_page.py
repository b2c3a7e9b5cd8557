"""The page Runs of a job: its runs, newest first. Each page ends at a token, and the next page continues there."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

from chroniker.admin.jobs import job_head
from chroniker.admin.jobs.run_rows import run_row
from chroniker.admin.shared.console_page import render_console_page
from chroniker.models import Run, Status

ROWS_PER_PAGE = 100
PAGE_TEMPLATE = "chroniker/console/job/runs.html"
FRAGMENT_TEMPLATES = {**job_head.FRAGMENT_TEMPLATES, "job-runs": "chroniker/console/job/runs_table.html"}


def job_runs_view(job_admin: Any, request: HttpRequest, object_id: int) -> HttpResponse:
    """The page. ``?status=FAILED``: only runs with this status. ``?before=``: only runs with a smaller token."""
    may_view_job = job_admin.has_view_or_change_permission(request)
    if not (may_view_job and request.user.has_perm("chroniker.view_run")):
        raise PermissionDenied
    overview = job_head.fetch_job_status_or_404(object_id)
    status, before = _read_status_filter(request), _read_before_token(request)
    runs = Run.objects.filter(job=object_id, parent=None, **status)
    if before is not None:
        runs = runs.filter(token__lt=before)
    found = list(runs.order_by("-token")[: ROWS_PER_PAGE + 1])
    older = (
        urlencode({**request.GET.dict(), "before": found[ROWS_PER_PAGE - 1].token})
        if len(found) > ROWS_PER_PAGE
        else ""
    )
    context = {
        **job_head.job_head_context(job_admin, request, overview, "runs"),
        "rows": [run_row(run, overview) for run in found[:ROWS_PER_PAGE]],
        "older": older,
        "is_newest": before is None,
        "chosen": status.get("status", ""),
        "statuses": [(each.value, each.label) for each in Status],
    }
    fragments = FRAGMENT_TEMPLATES if before is None else job_head.FRAGMENT_TEMPLATES
    return render_console_page(job_admin.admin_site, request, PAGE_TEMPLATE, "jobs", context, fragments)


def _read_status_filter(request: HttpRequest) -> dict[str, str]:
    status = request.GET.get("status", "")
    return {"status": status} if status in Status.values else {}


def _read_before_token(request: HttpRequest) -> int | None:
    text = request.GET.get("before", "")
    return int(text) if text.isdecimal() and len(text) < 19 else None
