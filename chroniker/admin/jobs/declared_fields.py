"""Read-only fields of declared jobs: the admin cannot change fields that the declaration in code sets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.http import HttpRequest

from chroniker.declared.loading import find_declared_fields
from chroniker.models import Job

if TYPE_CHECKING:
    JobAdminBase = admin.ModelAdmin[Job]
else:
    JobAdminBase = object


def fields_set_by_declaration(job: Job | None) -> frozenset[str]:
    """The fields that the declaration of a job sets; empty without one.

    ``after`` and ``triggered_by`` stand for its dependencies and triggers.
    """
    if job is None or not job.is_declared:
        return frozenset()
    known: dict[str, Any] = job.__dict__  # a cache: one page reads the fields several times
    if "fields_set_by_declaration" not in known:
        known["fields_set_by_declaration"] = find_declared_fields(job) | {"name"}
    fixed: frozenset[str] = known["fields_set_by_declaration"]
    return fixed


class ReadOnlyDeclaredFieldsMixin(JobAdminBase):
    def get_readonly_fields(self, request: HttpRequest, obj: Job | None = None) -> Any:
        return [
            *super().get_readonly_fields(request, obj),
            *sorted(fields_set_by_declaration(obj) - {"after", "triggered_by"}),
        ]
