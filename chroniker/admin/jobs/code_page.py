"""“Export as code”: a page with the declaration of one job, and a file with the declarations of all listed jobs."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from chroniker.admin.jobs import job_head
from chroniker.admin.jobs.list_page import read_job_filter
from chroniker.admin.shared.console_page import render_console_page
from chroniker.admin.shared.site_links import admin_url
from chroniker.clock.database_clock import database_now
from chroniker.declared import source_code
from chroniker.insights import job_filters
from chroniker.job_commands.secret_masking import mask_secrets
from chroniker.models import Job, JobDependency, JobTrigger

PAGE_TEMPLATE = "chroniker/console/job/code.html"
MAX_EXPORTED_JOBS = 1000


def job_code_view(job_admin: Any, request: HttpRequest, object_id: int) -> HttpResponse:
    """The page. ``?download=1``: the source of a ``jobs`` module as a file."""
    if not job_admin.has_view_or_change_permission(request):
        raise PermissionDenied
    overview = job_head.fetch_job_status_or_404(object_id)
    job = overview.job
    after, triggered_by = _fetch_dependee_names(job), _fetch_trigger_sources([job.pk])[job.pk]
    module = source_code.module_source(job, after, triggered_by)
    shown = mask_secrets(module, job.secrets)
    if "download" in request.GET:
        return _job_file_response(job, shown)
    context = {
        **job_head.job_head_context(job_admin, request, overview, "code"),
        "title": _("Export as code"),
        "console_trail": [(job.name, admin_url("chroniker_job_status", job.pk))],
        "module": shown,
        "decorator": mask_secrets(source_code.decorator_source(job, after, triggered_by), job.secrets),
        "is_masked": shown != module,
        "has_conditions": bool(after),
    }
    return render_console_page(
        job_admin.admin_site, request, PAGE_TEMPLATE, "jobs", context, job_head.FRAGMENT_TEMPLATES
    )


def job_list_code_view(job_admin: Any, request: HttpRequest) -> HttpResponse:
    """A file with the source of a ``jobs`` module. It declares the jobs that the list shows for this query.

    The file has at most ``MAX_EXPORTED_JOBS`` jobs.
    """
    if not job_admin.has_view_or_change_permission(request):
        raise PermissionDenied
    shown = job_filters.matching_jobs(read_job_filter(request), job_filters.fetch_job_conditions(database_now()))
    jobs = list(
        shown.select_related("group", "calendar")
        .prefetch_related("channels", "tags")
        .order_by("name", "pk")[: MAX_EXPORTED_JOBS + 1]
    )
    after: dict[int, list[str]] = defaultdict(list)
    edges = JobDependency.objects.filter(dependent__in=[job.pk for job in jobs[:MAX_EXPORTED_JOBS]])
    for pk, name in edges.order_by("dependee__name").values_list("dependent", "dependee__name"):
        after[pk].append(name)
    triggered_by = _fetch_trigger_sources([job.pk for job in jobs[:MAX_EXPORTED_JOBS]])
    source = source_code.module_source_of_jobs(
        (job, after[job.pk], triggered_by[job.pk]) for job in jobs[:MAX_EXPORTED_JOBS]
    )
    for secrets in dict.fromkeys(job.secrets for job in jobs):
        source = mask_secrets(source, secrets)
    cut = (
        f"# Only the first {MAX_EXPORTED_JOBS} jobs by name. Use a filter for the others.\n"
        if len(jobs) > MAX_EXPORTED_JOBS
        else ""
    )
    return _python_file_response("jobs", cut + source)


def _fetch_dependee_names(job: Job) -> list[str]:
    names = JobDependency.objects.filter(dependent=job).order_by("dependee__name")
    return list(names.values_list("dependee__name", flat=True))


def _fetch_trigger_sources(job_ids: Collection[int]) -> dict[int, dict[str, str]]:
    """For each of these jobs: the names of the jobs whose end starts it, and on which result. One statement."""
    found: dict[int, dict[str, str]] = defaultdict(dict)
    rows = JobTrigger.objects.filter(target__in=job_ids).order_by("source__name")
    for pk, name, on in rows.values_list("target", "source__name", "on"):
        found[pk][name] = on
    return found


def _job_file_response(job: Job, source: str) -> HttpResponse:
    """The source as a file. Its name has only letters, digits and “_”, even if the job's name has others."""
    file_stem = re.sub(r"[^A-Za-z0-9]+", "_", job.name).strip("_").lower()[:60] or f"job_{job.pk}"
    return _python_file_response(file_stem, source)


def _python_file_response(file_stem: str, source: str) -> HttpResponse:
    response = HttpResponse(source, content_type="text/plain; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{file_stem}.py"'
    response["X-Content-Type-Options"] = "nosniff"
    return response
