"""Clone a job: the form of a new job, filled in with the values of an existing job. Nothing is saved before "Save"."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.forms import model_to_dict
from django.http import Http404, HttpRequest

from chroniker.admin.shared.site_links import admin_url
from chroniker.models import Job, JobDependency

if TYPE_CHECKING:
    JobAdminBase = admin.ModelAdmin[Job]
else:
    JobAdminBase = object

#: Query parameter of the form of a new job: the id of the job to clone.
CLONE_PARAMETER = "clone"
#: Fields that a clone does not copy: it needs its own name, and stays disabled until somebody enables it.
FIELDS_NOT_COPIED = {"id", "name", "enabled", "force_run", "force_stop"}
#: Fields of a dependency that a clone copies.
COPIED_DEPENDENCY_FIELDS = ("dependee", "wait_for_completion", "wait_for_success", "wait_for_next_run")


class CloningMixin(JobAdminBase):
    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        if (source := self.fetch_job_to_clone(request)) is None:
            return {str(key): value for key, value in super().get_changeform_initial_data(request).items()}
        values = model_to_dict(source)
        return {**{name: value for name, value in values.items() if name not in FIELDS_NOT_COPIED}, "enabled": False}

    def get_formsets_with_inlines(self, request: HttpRequest, obj: Any = None) -> Iterator[Any]:
        """The formsets. The formset of dependencies gets enough empty rows for the copied dependencies."""
        for formset, inline in super().get_formsets_with_inlines(request, obj):
            # This formset class belongs to this request only.
            formset.extra = max(formset.extra, len(self._initial_dependencies(request, inline)))
            yield formset, inline

    def get_formset_kwargs(self, request: HttpRequest, obj: Any, inline: Any, prefix: str) -> dict[str, Any]:
        kwargs: dict[str, Any] = super().get_formset_kwargs(request, obj, inline, prefix)
        if found := self._initial_dependencies(request, inline):
            kwargs["initial"] = found
        return kwargs

    def _initial_dependencies(self, request: HttpRequest, inline: Any) -> list[dict[str, Any]]:
        """The copied dependencies that fill the form when it is first shown. A submitted form is not changed."""
        source = self.fetch_job_to_clone(request) if request.method == "GET" and inline.model is JobDependency else None
        return [] if source is None else list(source.dependencies.order_by("pk").values(*COPIED_DEPENDENCY_FIELDS))

    def fetch_job_to_clone(self, request: HttpRequest) -> Job | None:
        """The job to clone; ``None`` without the parameter. Raises ``PermissionDenied`` or ``Http404``."""
        key = request.GET.get(CLONE_PARAMETER)
        if key is None or request.resolver_match is None or request.resolver_match.kwargs.get("object_id"):
            return None
        if not self.has_view_permission(request):
            raise PermissionDenied
        source = Job.objects.filter(pk=int(key)).first() if key.isdecimal() and len(key) < 19 else None
        if source is None:
            raise Http404
        return source


def clone_url(job: Job) -> str:
    return f"{admin_url('chroniker_job_add')}?{CLONE_PARAMETER}={job.pk}"
