"""What a row of the list of jobs offers: its first action, and the menu of others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy

from chroniker.admin.shared.site_links import RowUrls
from chroniker.insights.job_status import JobStatus
from chroniker.models import Job

#: By code: the page, the title, the name for screen readers, and the question before it.
ACTIONS: dict[str, tuple[str, Any, Any, Any]] = {
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
    """A button, or for “edit” a link."""

    code: str
    title: str
    label: str
    url: str
    question: str


@dataclass(frozen=True, slots=True)
class RowLinks:
    """The addresses of a job's pages; empty without the right to open them."""

    status: str
    change: str
    run_with: str
    last_run: str
    schedule: str
    disable: str


def first_action(overview: JobStatus, may: Any, urls: RowUrls) -> RowAction | None:
    """``None``: the user may do none of them."""
    code = _action_code(overview, may)
    if not code:
        return None
    view, title, label, question = ACTIONS[code]
    job = overview.job
    return RowAction(code, str(title), label % {"job": job.name}, urls.url(view, job.pk), str(question))


def _action_code(overview: JobStatus, may: Any) -> str:
    if overview.lease is not None:
        return "stop" if may.stop else ""
    if not overview.job.enabled:
        return "enable" if may.change else ""
    if overview.state.schedule_error:
        return "edit" if may.change else ""
    if overview.state_code == "on_hold" and may.change:
        return "resume"
    return "run" if may.run else ""


def links(job: Job, last_run: object, may: Any, urls: RowUrls) -> RowLinks:
    """``last_run``: the id of its last run, if there is one."""
    return RowLinks(
        status=urls.url("chroniker_job_status", job.pk),
        change=urls.url("chroniker_job_change", job.pk),
        run_with=urls.url("chroniker_job_run_with", job.pk) if may.run_with and job.command else "",
        last_run=urls.url("chroniker_run_change", last_run) if last_run and may.view_runs else "",
        schedule=urls.url("chroniker_job_schedule", job.pk) if may.view_runs else "",
        disable=urls.url("chroniker_job_disable", job.pk) if may.change and job.enabled else "",
    )
