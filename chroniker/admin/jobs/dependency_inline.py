"""The table of dependencies within the job's form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from chroniker.admin.jobs.declared_fields import fields_set_by_declaration
from chroniker.admin.shared.input_labels import LabelledInputsFormSet
from chroniker.eligibility import circles
from chroniker.models import Job, JobDependency

if TYPE_CHECKING:
    DependencyModelForm = forms.ModelForm[JobDependency]
    TabularInline = admin.TabularInline[JobDependency, Job]
else:
    DependencyModelForm = forms.ModelForm
    TabularInline = admin.TabularInline


def fetch_job_names_in_cycle(job_ids: list[int]) -> str:
    """The names of the jobs in a circle, for example “load” → “report” → “load”. One statement."""
    names = dict(Job.objects.filter(pk__in=job_ids).values_list("pk", "name"))
    return " → ".join(f"“{names.get(pk, pk)}”" for pk in job_ids)


class DependencyForm(DependencyModelForm):
    def clean_dependee(self) -> Job:
        dependee: Job = self.cleaned_data["dependee"]
        if dependee.pk == self.instance.dependent_id:  # the formset has set it
            raise ValidationError(_("A job cannot wait for itself."))
        return dependee


class DependencyFormSet(LabelledInputsFormSet):
    """Refuses circular dependencies, also those that include triggers.

    If two users create a circle at the same moment, the circle is stored. The pages of the jobs then show for which job
    each job waits.
    """

    def clean(self) -> None:
        super().clean()
        if any(self.errors):
            return
        if self.instance._state.adding:
            return  # no job waits for a job that does not exist yet
        # Only changed rows: a row that this user may not change has no cleaned data.
        changed = [form for form in self.forms if form.has_changed() and not self._should_delete_form(form)]  # type: ignore[attr-defined]
        by_dependee = {form.cleaned_data["dependee"].pk: form for form in changed}
        if cycle := circles.find_dependency_cycle(self.instance.pk, by_dependee):
            text = _("This would create a circular dependency: %(path)s.")
            by_dependee[cycle[1]].add_error(
                "dependee", ValidationError(text % {"path": fetch_job_names_in_cycle(cycle)})
            )


class DependencyInline(TabularInline):
    model = JobDependency
    form = DependencyForm
    formset: type[Any] = DependencyFormSet
    fk_name = "dependent"
    autocomplete_fields = ("dependee",)
    extra = 0
    verbose_name_plural = gettext_lazy("waits for")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_add_permission(request, obj) and "after" not in fields_set_by_declaration(obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and "after" not in fields_set_by_declaration(obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and "after" not in fields_set_by_declaration(obj)
