"""The head of the pages of one job: name, state, schedule, command, actions and tabs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import Http404, HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from chroniker.admin.jobs import cloning
from chroniker.admin.shared.site_links import admin_url
from chroniker.clock.database_clock import StatementNowPlus
from chroniker.insights.health import ComponentHealth
from chroniker.insights.job_status import JobStatus, fetch_job_status
from chroniker.job_commands.secret_masking import mask_secrets
from chroniker.models import Job
from chroniker.schedule import describe_schedule
from chroniker.wording.formats import short_time

#: The tabs: name, title, URL name, and whether the tab needs the permission to view runs.
JOB_TABS = (
    ("status", gettext_lazy("Status"), "chroniker_job_status", False),
    ("schedule", gettext_lazy("Schedule history"), "chroniker_job_schedule", True),
    ("runs", gettext_lazy("Runs"), "chroniker_job_runs", True),
    ("edit", gettext_lazy("Edit"), "chroniker_job_change", False),
)
#: The parts of the head that change while the page is open.
FRAGMENT_TEMPLATES = {
    "job-state": "chroniker/console/job/state.html",
    "job-actions": "chroniker/console/job/actions.html",
}


@dataclass(frozen=True, slots=True)
class JobPermissions:
    """What the user may do with a job."""

    run: bool
    run_with: bool
    stop: bool
    change: bool
    add: bool
    delete: bool
    view_runs: bool


def get_job_permissions(job_admin: Any, request: HttpRequest) -> JobPermissions:
    return JobPermissions(
        run=job_admin.has_run_permission(request),
        run_with=job_admin.has_run_with_arguments_permission(request),
        stop=job_admin.has_stop_permission(request),
        change=job_admin.has_change_permission(request),
        add=job_admin.has_add_permission(request),
        delete=job_admin.has_delete_permission(request),
        view_runs=request.user.has_perm("chroniker.view_run"),
    )


def fetch_job_status_or_404(job_id: int) -> JobStatus:
    """The status of the job, with its group, state and open run."""
    job = Job.objects.select_related("group", "state").annotate(read_at=StatementNowPlus()).filter(pk=job_id).first()
    if job is None:
        raise Http404
    return fetch_job_status([job], job.__dict__["read_at"])[job_id]


def job_head_context(job_admin: Any, request: HttpRequest, overview: JobStatus, current_tab: str) -> dict[str, Any]:
    """The values for the template ``job/base.html``. ``current_tab``: a name in ``JOB_TABS``, or of another page."""
    job, may = overview.job, get_job_permissions(job_admin, request)
    return {
        "title": job.name,
        "original": job,
        "opts": Job._meta,
        "overview": overview,
        "may": may,
        "job_words": describe_schedule(job.spec),
        "job_command": masked_command_line(job),
        "job_tabs": [
            {"title": title, "url": url, "is_current": name == current_tab}
            for name, title, view, shows_runs in JOB_TABS
            if (may.view_runs or not shows_runs) and (url := admin_url(view, job.pk))
        ],
        "clone_url": cloning.clone_url(job) if may.add else "",
    }


def masked_command_line(job: Job) -> str:
    """The command line, without the values of secrets."""
    words = job.raw_command.strip() if job.raw_command else f"manage.py {job.command} {job.args}".strip()
    return mask_secrets(words, job.secrets)


def due_since_sentence(overview: JobStatus, tick_health: ComponentHealth) -> str:
    """“Due since 09:40. …”: for a due job that no rule holds back. The text names a problem of the tick."""
    words = {"time": short_time(overview.state.next_run or overview.now, overview.now)}
    if tick_health.level == "bad":
        return _("Due since %(time)s. Nothing ticks. %(detail)s") % {**words, "detail": tick_health.detail}
    if tick_health.level == "warn":
        return _("Due since %(time)s. %(detail)s") % {**words, "detail": tick_health.detail}
    return _("Due since %(time)s; the next tick starts it.") % words


def executor_queue_priority_text(job: Job) -> str:
    """The executor, the queue and the priority of the job, as far as they are set."""
    parts = [job.executor, job.queue]
    if job.priority is not None:
        parts.append(_("priority %(n)d") % {"n": job.priority})
    return ", ".join(filter(None, parts))
