"""The main action of a row in the list of jobs, and the links of its menu."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy

from chroniker.admin.shared.site_links import AdminUrlCache
from chroniker.insights.job_status import JobStatus
from chroniker.models import Job

#: For each action: its URL name, its title, its name for screen readers, and the question that the page asks before it.
ROW_ACTIONS: dict[str, tuple[str, Any, Any, Any]] = {
    "run": ("chroniker_job_run", gettext_lazy("Run"), gettext_lazy("Run %(job)s now"), ""),
    "stop": (
        "chroniker_job_stop",
        gettext_lazy("Stop"),
        gettext_lazy("Stop %(job)s"),
        gettext_lazy("Stop the run of this job?"),
    ),
    "enable": ("chroniker_job_enable", gettext_lazy("Enable"), gettext_lazy("Enable %(job)s"), ""),
    "resume": ("chroniker_job_resume", gettext_lazy("Resume"), gettext_lazy("Resume %(job)s"), ""),
    "edit": ("chroniker_job_change", gettext_lazy("Edit"), gettext_lazy("Edit %(job)s"), ""),
}


@dataclass(frozen=True, slots=True)
class RowAction:
    """A button, or, for the action “edit”, a link."""

    code: str
    title: str
    label: str
    url: str
    question: str


@dataclass(frozen=True, slots=True)
class RowLinks:
    """The addresses of a job's pages; each is empty if the user may not open the page."""

    status: str
    change: str
    run_with: str
    last_run: str
    schedule: str
    disable: str


def main_row_action(overview: JobStatus, permissions: Any, urls: AdminUrlCache) -> RowAction | None:
    """The main action of the row; ``None`` if the user has no permission for it."""
    code = _main_action_code(overview, permissions)
    if not code:
        return None
    view, title, label, question = ROW_ACTIONS[code]
    job = overview.job
    return RowAction(code, str(title), label % {"job": job.name}, urls.url(view, job.pk), str(question))


def _main_action_code(overview: JobStatus, permissions: Any) -> str:
    if overview.lease is not None:
        return "stop" if permissions.stop else ""
    if not overview.job.enabled:
        return "enable" if permissions.change else ""
    if overview.state.schedule_error:
        return "edit" if permissions.change else ""
    if overview.state_code == "on_hold" and permissions.change:
        return "resume"
    return "run" if permissions.run else ""


def row_links(job: Job, last_run_id: object, permissions: Any, urls: AdminUrlCache) -> RowLinks:
    """``last_run_id``: the id of the job's last run; empty without one."""
    return RowLinks(
        status=urls.url("chroniker_job_status", job.pk),
        change=urls.url("chroniker_job_change", job.pk),
        run_with=urls.url("chroniker_job_run_with", job.pk) if permissions.run_with and job.command else "",
        last_run=urls.url("chroniker_run_change", last_run_id) if last_run_id and permissions.view_runs else "",
        schedule=urls.url("chroniker_job_schedule", job.pk) if permissions.view_runs else "",
        disable=urls.url("chroniker_job_disable", job.pk) if permissions.change and job.enabled else "",
    )
