"""The dependencies and triggers on the page of a job, in both directions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext as _

from chroniker.admin.shared.site_links import admin_url
from chroniker.models import Job, JobDependency, JobTrigger, Lease, TriggerOn
from chroniker.wording.states import state

#: Listed one by one.
MOST_LISTED = 50
CONDITIONS = ("wait_for_completion", "wait_for_success", "wait_for_next_run")


def context(job: Job) -> dict[str, Any]:
    """For the template. Two statements."""
    found = _fetch_links(JobDependency.objects.filter(Q(dependent=job) | Q(dependee=job)), "dependee", "dependent")
    triggers = _fetch_links(JobTrigger.objects.filter(Q(source=job) | Q(target=job)), "source", "target")
    return {
        "waits_for": _rows((each.dependee, each, "dependee") for each in found if each.dependent_id == job.pk),
        "waited_for_by": _rows((each.dependent, each, "dependent") for each in found if each.dependee_id == job.pk),
        "started_by": _rows((each.source, each, "source") for each in triggers if each.target_id == job.pk),
        "starts": _rows((each.target, each, "target") for each in triggers if each.source_id == job.pk),
    }


def _fetch_links(rows: QuerySet[Any], early: str, late: str) -> list[Any]:
    """With the jobs at both ends, and whether each has an open run."""
    is_open = {f"{end}_is_open": Exists(Lease.objects.filter(job=OuterRef(end), slot="")) for end in (early, late)}
    found = rows.annotate(**is_open).select_related(f"{early}__state", f"{late}__state")
    return list(found.order_by(f"{early}__name", f"{late}__name")[: 2 * MOST_LISTED + 2])


def _rows(found: Iterable[tuple[Job, Any, str]]) -> list[dict[str, str]]:
    rows = [
        {
            "name": job.name,
            "url": admin_url("chroniker_job_status", job.pk),
            "conditions": _conditions_in_words(link),
            "code": (code := _state_code(job, is_open=link.__dict__[f"{end}_is_open"])),
            "word": str(state(code).word) if code else "",
        }
        for job, link, end in found
    ]
    if len(rows) > MOST_LISTED:
        url = admin_url("chroniker_job_changelist")
        return [*rows[:MOST_LISTED], {"name": _("and more"), "url": url, "conditions": "", "code": "", "word": ""}]
    return rows


def _state_code(job: Job, *, is_open: bool) -> str:
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


def _conditions_in_words(link: JobDependency | JobTrigger) -> str:
    """For example “until it has ended, until it succeeded”; of a trigger “when it succeeded”."""
    if isinstance(link, JobTrigger):
        return _("when %(result)s") % {"result": TriggerOn(link.on).label}
    fields = {field.name: field for field in JobDependency._meta.concrete_fields}
    words = [str(fields[name].verbose_name) for name in CONDITIONS if getattr(link, name)]
    return ", ".join(words) or _("(no condition)")
