"""What a job waits for, within its form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from chroniker.admin.jobs.declared_fields import fixed_fields
from chroniker.admin.shared.labels import NamedInputs
from chroniker.eligibility import dependencies
from chroniker.models import Job, JobDependency

if TYPE_CHECKING:
    DependencyModelForm = forms.ModelForm[JobDependency]
    TabularInline = admin.TabularInline[JobDependency, Job]
else:
    DependencyModelForm = forms.ModelForm
    TabularInline = admin.TabularInline


class DependencyForm(DependencyModelForm):
    def clean_dependee(self) -> Job:
        dependee: Job = self.cleaned_data["dependee"]
        if dependee.pk == self.instance.dependent_id:  # the formset has set it
            raise ValidationError(_("A job cannot wait for itself."))
        return dependee


class DependencyFormSet(NamedInputs):
    """Refuses circles and names them. Two people who close one at the same moment are not stopped here: then each
    job of the circle says what it waits for."""

    def clean(self) -> None:
        super().clean()
        if any(self.errors):
            return
        dependees = {form: job for form in self.forms if (job := self._kept(form))}
        if self.instance._state.adding:
            return  # nothing waits for a job that does not exist yet
        for form, job in dependees.items():
            if found := dependencies.find_cycle(self.instance.pk, [job.pk]):
                form.add_error("dependee", self._in_words(found))

    def _kept(self, form: forms.ModelForm[JobDependency]) -> Job | None:
        if self._should_delete_form(form):  # type: ignore[attr-defined]
            return None
        job: Job | None = form.cleaned_data.get("dependee")
        return job

    def _in_words(self, circle: list[int]) -> ValidationError:
        names = dict(Job.objects.filter(pk__in=circle).values_list("pk", "name"))
        path = " → ".join(f"“{names.get(pk, pk)}”" for pk in circle)
        return ValidationError(_("This would create a circular dependency: %(path)s.") % {"path": path})


class DependencyInline(TabularInline):
    model = JobDependency
    form = DependencyForm
    formset: type[Any] = DependencyFormSet
    fk_name = "dependent"
    autocomplete_fields = ("dependee",)
    extra = 0
    verbose_name_plural = gettext_lazy("waits for")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_add_permission(request, obj) and "after" not in fixed_fields(obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and "after" not in fixed_fields(obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and "after" not in fixed_fields(obj)
