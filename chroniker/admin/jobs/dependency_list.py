"""The jobs that a job waits for, and those that wait for it, as its page lists them."""

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
    """Two statements, however many there are."""
    waits_for = job.dependencies.select_related("dependee").order_by("dependee__name")
    waited_for_by = job.dependents.select_related("dependent").order_by("dependent__name")
    return {
        "waits_for": _listed((each.dependee, each) for each in waits_for[: MOST_LISTED + 1]),
        "waited_for_by": _listed((each.dependent, each) for each in waited_for_by[: MOST_LISTED + 1]),
    }


def now(job_id: int) -> Cell:
    """What it waits for at this moment, and why."""
    reasons = dependencies.reasons([job_id]).get(job_id)
    if not reasons:
        return Cell(_("No dependency is blocking it."))
    return Cell(_("Blocked: it %(reasons)s.") % {"reasons": "; ".join(wait.text for wait in reasons)})


def _listed(found: Iterable[tuple[Job, JobDependency]]) -> list[dict[str, str]]:
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
    """“until it has ended, until it succeeded”; nothing asked holds nobody back."""
    fields = {field.name: field for field in JobDependency._meta.concrete_fields}
    words = [str(fields[name].verbose_name) for name in CONDITIONS if getattr(dependency, name)]
    return ", ".join(words) or _("(no condition)")
