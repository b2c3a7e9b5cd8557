"""Read-only fields of declared jobs: what the declaration in code sets cannot be changed in the admin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.http import HttpRequest

from chroniker.declared.loading import decided_fields
from chroniker.models import Job

if TYPE_CHECKING:
    Base = admin.ModelAdmin[Job]
else:
    Base = object


def fixed_fields(job: Job | None) -> frozenset[str]:
    """The fields that its declaration sets; ``after`` and ``triggered_by`` stand for its dependencies and triggers."""
    if job is None or not job.is_declared:
        return frozenset()
    known: dict[str, Any] = job.__dict__  # read several times for one page
    if "fixed_fields" not in known:
        known["fixed_fields"] = decided_fields(job) | {"name"}
    fixed: frozenset[str] = known["fixed_fields"]
    return fixed


class DeclaredFields(Base):
    def get_readonly_fields(self, request: HttpRequest, obj: Job | None = None) -> Any:
        return [*super().get_readonly_fields(request, obj), *sorted(fixed_fields(obj) - {"after", "triggered_by"})]
