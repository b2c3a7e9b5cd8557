"""The page Status of a job: its state in a sentence, figures, durations, recent runs, and dependencies."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from chroniker.admin.jobs import dependency_list, durations_plot, job_head, status_facts
from chroniker.admin.jobs.run_rows import run_row
from chroniker.admin.jobs.status_sentence import describe_status
from chroniker.admin.shared.console_page import render_console_page
from chroniker.admin.shared.site_links import admin_url
from chroniker.insights import run_counts, run_durations
from chroniker.insights.job_status import JobStatus
from chroniker.models import OPEN_STATUSES, Run

RECENT_RUN_COUNT = 10
PAGE_TEMPLATE = "chroniker/console/job/status.html"
FRAGMENT_TEMPLATES = {
    **job_head.FRAGMENT_TEMPLATES,
    "job-sentence": "chroniker/console/job/status_sentence.html",
    "job-recent": "chroniker/console/job/status_recent.html",
    "job-glance": "chroniker/console/job/status_glance.html",
}


@dataclass(frozen=True, slots=True)
class TimeRange:
    name: str
    title: Any
    length: dt.timedelta | None


TIME_RANGES = (
    TimeRange("24h", _("24 hours"), dt.timedelta(hours=24)),
    TimeRange("3d", _("3 days"), dt.timedelta(days=3)),
    TimeRange("30d", _("30 days"), dt.timedelta(days=30)),
    TimeRange("all", _("all"), None),
)
DEFAULT_TIME_RANGE = TIME_RANGES[1]


def status_view(job_admin: Any, request: HttpRequest, object_id: int) -> HttpResponse:
    if not job_admin.has_view_or_change_permission(request):
        raise PermissionDenied
    overview = job_head.fetch_job_status_or_404(object_id)
    context = {
        **job_head.job_head_context(job_admin, request, overview, "status"),
        "facts": status_facts.job_property_values(overview.job),
        **dependency_list.dependencies_context(overview.job),
        **_runs_context(request, overview),
        "live_seconds": 1 if overview.lease is not None and overview.lease.run.started_at else 5,
    }
    return render_console_page(job_admin.admin_site, request, PAGE_TEMPLATE, "jobs", context, FRAGMENT_TEMPLATES)


def _runs_context(request: HttpRequest, overview: JobStatus) -> dict[str, Any]:
    """The values that are computed from runs. If the user may not view runs: only those that show no run."""
    if not request.user.has_perm("chroniker.view_run"):
        return {
            "sentence": describe_status(overview, None, may_view_runs=False),
            "glance": status_facts.job_summary_values(overview, None),
        }
    job, now = overview.job, overview.now
    recent = list(Run.objects.filter(job=job.pk, parent=None).order_by("-token")[:RECENT_RUN_COUNT])
    closed = next((run for run in recent if run.status not in OPEN_STATUSES), None)
    counts = run_counts.fetch_run_counts(job.pk, now, status_facts.RUN_COUNT_DAYS)
    return {
        "sentence": describe_status(overview, closed, may_view_runs=True),
        "glance": status_facts.job_summary_values(overview, counts),
        "recent": [run_row(run, overview) for run in recent],
        "runs_url": admin_url("chroniker_job_runs", job.pk),
        **_durations_context(request, overview),
    }


def _durations_context(request: HttpRequest, overview: JobStatus) -> dict[str, Any]:
    chosen = next((each for each in TIME_RANGES if each.name == request.GET.get("range")), DEFAULT_TIME_RANGE)
    now = overview.now
    found = run_durations.read_run_durations(overview.state, now - chosen.length if chosen.length else None)
    timeout = overview.job.timeout_seconds
    return {
        "durations": found,
        "plot": durations_plot.draw_durations(found, float(timeout) if timeout else None, now),
        "duration_rows": durations_plot.duration_rows(found, now),
        "range": chosen,
        "ranges": [{"title": each.title, "name": each.name, "is_current": each is chosen} for each in TIME_RANGES],
    }
