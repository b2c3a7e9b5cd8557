"""The dependencies and triggers on the page of a job, in both directions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from chroniker.admin.shared.site_links import admin_url
from chroniker.models import Job, JobDependency, JobTrigger, Lease, TriggerOn
from chroniker.wording.states import state

#: The largest number of jobs in each table.
MAX_LISTED_JOBS = 50
CONDITION_FIELDS = ("wait_for_completion", "wait_for_success", "wait_for_next_run")


def dependencies_context(job: Job) -> dict[str, Any]:
    """The four lists for the template. Two statements."""
    found = _fetch_links_with_jobs(
        JobDependency.objects.filter(Q(dependent=job) | Q(dependee=job)), "dependee", "dependent"
    )
    triggers = _fetch_links_with_jobs(JobTrigger.objects.filter(Q(source=job) | Q(target=job)), "source", "target")
    return {
        "waits_for": _link_rows((each.dependee, each, "dependee") for each in found if each.dependent_id == job.pk),
        "waited_for_by": _link_rows(
            (each.dependent, each, "dependent") for each in found if each.dependee_id == job.pk
        ),
        "started_by": _link_rows((each.source, each, "source") for each in triggers if each.target_id == job.pk),
        "starts": _link_rows((each.target, each, "target") for each in triggers if each.source_id == job.pk),
    }


def _fetch_links_with_jobs(links: QuerySet[Any], earlier_field: str, later_field: str) -> list[Any]:
    """The links with the jobs at both ends, and whether each job has an open run."""
    is_open = {
        f"{end}_is_open": Exists(Lease.objects.filter(job=OuterRef(end), slot=""))
        for end in (earlier_field, later_field)
    }
    found = links.annotate(**is_open).select_related(f"{earlier_field}__state", f"{later_field}__state")
    return list(found.order_by(f"{earlier_field}__name", f"{later_field}__name")[: 2 * MAX_LISTED_JOBS + 2])


def _link_rows(links: Iterable[tuple[Job, Any, str]]) -> list[dict[str, str]]:
    rows = [
        {
            "name": job.name,
            "url": admin_url("chroniker_job_status", job.pk),
            "conditions": _conditions_in_words(link),
            "code": (code := _linked_job_state_code(job, has_open_run=link.__dict__[f"{end}_is_open"])),
            "word": str(state(code).word) if code else "",
        }
        for job, link, end in links
    ]
    if len(rows) > MAX_LISTED_JOBS:
        url = admin_url("chroniker_job_changelist")
        return [*rows[:MAX_LISTED_JOBS], {"name": _("and more"), "url": url, "conditions": "", "code": "", "word": ""}]
    return rows


def _linked_job_state_code(job: Job, *, has_open_run: bool) -> str:
    """The state code of a job to which this job is linked; empty if that job has not run yet."""
    if has_open_run:
        return "running"
    if not job.enabled:
        return "disabled"
    found = getattr(job, "state", None)
    if found is None:
        return ""
    if found.failures:
        return "failing"
    return str(found.last_status).lower()


def _conditions_in_words(link: JobDependency | JobTrigger) -> str:
    """The conditions of a dependency: “until it has ended, until it succeeded”; of a trigger: “when it succeeded”."""
    if isinstance(link, JobTrigger):
        return _("when %(result)s") % {"result": TriggerOn(link.on).label}
    fields = {field.name: field for field in JobDependency._meta.concrete_fields}
    words = [str(fields[name].verbose_name) for name in CONDITION_FIELDS if getattr(link, name)]
    return ", ".join(words) or _("(no condition)")
