"""Clone a job: the form of a new one, filled in like an existing one's. Nothing is saved before the person says so."""

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
    Base = admin.ModelAdmin[Job]
else:
    Base = object

#: In the address of the form of a new job: the id of the one it is to be like.
PARAMETER = "clone"
#: What a clone does not take over: its name is its own, and it runs once somebody has looked at it.
OWN = {"id", "name", "enabled", "force_run", "force_stop"}
#: What a clone's dependency takes over.
DEPENDENCY = ("dependee", "wait_for_completion", "wait_for_success", "wait_for_next_run")


class Cloning(Base):
    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        if (source := self.cloned(request)) is None:
            return {str(key): value for key, value in super().get_changeform_initial_data(request).items()}
        values = model_to_dict(source)
        return {**{name: value for name, value in values.items() if name not in OWN}, "enabled": False}

    def get_formsets_with_inlines(self, request: HttpRequest, obj: Any = None) -> Iterator[Any]:
        """With room for the dependencies that are to be filled in."""
        for formset, inline in super().get_formsets_with_inlines(request, obj):
            formset.extra = max(formset.extra, len(self._dependencies(request, inline)))  # a class of this request
            yield formset, inline

    def get_formset_kwargs(self, request: HttpRequest, obj: Any, inline: Any, prefix: str) -> dict[str, Any]:
        kwargs: dict[str, Any] = super().get_formset_kwargs(request, obj, inline, prefix)
        if found := self._dependencies(request, inline):
            kwargs["initial"] = found
        return kwargs

    def _dependencies(self, request: HttpRequest, inline: Any) -> list[dict[str, Any]]:
        """The first time they are filled in; what is sent back is taken as it is, changed or not."""
        source = self.cloned(request) if request.method == "GET" and inline.model is JobDependency else None
        return [] if source is None else list(source.dependencies.order_by("pk").values(*DEPENDENCY))

    def cloned(self, request: HttpRequest) -> Job | None:
        """The job that the new one is to be like, for who may see it; ``None``: like none."""
        key = request.GET.get(PARAMETER)
        if key is None or request.resolver_match is None or request.resolver_match.kwargs.get("object_id"):
            return None
        if not self.has_view_permission(request):
            raise PermissionDenied
        source = Job.objects.filter(pk=int(key)).first() if key.isdecimal() and len(key) < 19 else None
        if source is None:
            raise Http404
        return source


def address(job: Job) -> str:
    return f"{admin_url('chroniker_job_add')}?{PARAMETER}={job.pk}"
