"""The dependencies on the page of a job: the jobs it waits for, and the jobs that wait for it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext as _

from chroniker.admin.shared.site_links import admin_url
from chroniker.models import Job, JobDependency, Lease
from chroniker.wording.states import state

#: Listed one by one.
MOST_LISTED = 50
CONDITIONS = ("wait_for_completion", "wait_for_success", "wait_for_next_run")


def context(job: Job) -> dict[str, Any]:
    """For the template. One statement."""
    is_open = {
        f"{end}_is_open": Exists(Lease.objects.filter(job=OuterRef(end), slot="")) for end in ("dependee", "dependent")
    }
    ends = ("dependee__state", "dependent__state")
    rows = JobDependency.objects.filter(Q(dependent=job) | Q(dependee=job)).annotate(**is_open).select_related(*ends)
    found = list(rows.order_by("dependee__name", "dependent__name")[: 2 * MOST_LISTED + 2])
    return {
        "waits_for": _rows((each.dependee, each, "dependee") for each in found if each.dependent_id == job.pk),
        "waited_for_by": _rows((each.dependent, each, "dependent") for each in found if each.dependee_id == job.pk),
    }


def _rows(found: Iterable[tuple[Job, JobDependency, str]]) -> list[dict[str, str]]:
    rows = [
        {
            "name": job.name,
            "url": admin_url("chroniker_job_status", job.pk),
            "conditions": _conditions(dependency),
            "code": (code := _code(job, is_open=dependency.__dict__[f"{end}_is_open"])),
            "word": str(state(code).word) if code else "",
        }
        for job, dependency, end in found
    ]
    if len(rows) > MOST_LISTED:
        url = admin_url("chroniker_job_changelist")
        return [*rows[:MOST_LISTED], {"name": _("and more"), "url": url, "conditions": "", "code": "", "word": ""}]
    return rows


def _code(job: Job, *, is_open: bool) -> str:
    """The code of the state of a neighbour; empty if it has not run yet."""
    if is_open:
        return "running"
    if not job.enabled:
        return "disabled"
    found = getattr(job, "state", None)
    if found is None:
        return ""
    if found.failures:
        return "failing"
    return str(found.last_status).lower()


def _conditions(dependency: JobDependency) -> str:
    """For example “until it has ended, until it succeeded”."""
    fields = {field.name: field for field in JobDependency._meta.concrete_fields}
    words = [str(fields[name].verbose_name) for name in CONDITIONS if getattr(dependency, name)]
    return ", ".join(words) or _("(no condition)")
