"""The dependencies on the page of a job: the jobs it waits for, and the jobs that wait for it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.utils.translation import gettext as _

from chroniker.admin.shared.cells import Cell
from chroniker.admin.shared.site_links import admin_url
from chroniker.eligibility import dependencies
from chroniker.models import Job, JobDependency

#: Listed one by one.
MOST_LISTED = 50
CONDITIONS = ("wait_for_completion", "wait_for_success", "wait_for_next_run")


def context(job: Job) -> dict[str, Any]:
    """For the template. Two statements."""
    waits_for = job.dependencies.select_related("dependee").order_by("dependee__name")
    waited_for_by = job.dependents.select_related("dependent").order_by("dependent__name")
    return {
        "waits_for": _rows((each.dependee, each) for each in waits_for[: MOST_LISTED + 1]),
        "waited_for_by": _rows((each.dependent, each) for each in waited_for_by[: MOST_LISTED + 1]),
    }


def blocking(job_id: int) -> Cell:
    """The dependencies that block the job now."""
    reasons = dependencies.reasons([job_id]).get(job_id)
    if not reasons:
        return Cell(_("No dependency is blocking it."))
    return Cell(_("Blocked: it %(reasons)s.") % {"reasons": "; ".join(wait.text for wait in reasons)})


def _rows(found: Iterable[tuple[Job, JobDependency]]) -> list[dict[str, str]]:
    rows = [
        {
            "name": job.name,
            "url": admin_url("chroniker_job_change", job.pk),
            "conditions": _conditions(dependency),
        }
        for job, dependency in found
    ]
    if len(rows) > MOST_LISTED:
        rest = {"name": _("and more"), "url": admin_url("chroniker_job_changelist"), "conditions": ""}
        return [*rows[:MOST_LISTED], rest]
    return rows


def _conditions(dependency: JobDependency) -> str:
    """For example “until it has ended, until it succeeded”."""
    fields = {field.name: field for field in JobDependency._meta.concrete_fields}
    words = [str(fields[name].verbose_name) for name in CONDITIONS if getattr(dependency, name)]
    return ", ".join(words) or _("(no condition)")
