"""The tables of triggers within the job's form: the jobs that this one starts, and those that start it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from chroniker.admin.jobs.declared_fields import fields_set_by_declaration
from chroniker.admin.jobs.dependency_inline import fetch_job_names_in_cycle
from chroniker.admin.shared.input_labels import LabelledInputsFormSet
from chroniker.eligibility import circles
from chroniker.models import Job, JobTrigger

if TYPE_CHECKING:
    TriggerModelForm = forms.ModelForm[JobTrigger]
    TabularInline = admin.TabularInline[JobTrigger, Job]
else:
    TriggerModelForm = forms.ModelForm
    TabularInline = admin.TabularInline


class TriggerForm(TriggerModelForm):
    def clean(self) -> dict[str, Any]:
        """Refuse a trigger from a job to itself. The formset has already set the job of the page."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        for name, own in (("target", self.instance.source_id), ("source", self.instance.target_id)):
            if name in cleaned and own is not None and cleaned[name].pk == own:
                self.add_error(name, _("A job cannot start itself."))
        return cleaned


class TriggerFormSet(LabelledInputsFormSet):
    """Refuses circles of triggers and dependencies.

    If two users create a circle at the same moment, the circle is stored. The limit of triggers in a row ends its runs.
    """

    other_field: ClassVar[str]

    def clean(self) -> None:
        super().clean()
        if any(self.errors) or self.instance._state.adding:
            return
        # A row that this user may not change has no cleaned data.
        kept = [form for form in self.forms if form.cleaned_data and not self._should_delete_form(form)]  # type: ignore[attr-defined]
        by_other = {
            form.cleaned_data[self.other_field].pk: form for form in kept if self.other_field in form.cleaned_data
        }
        find = (
            circles.find_cycle_through_trigger_targets
            if self.other_field == "target"
            else circles.find_cycle_through_trigger_sources
        )
        if circle := find(self.instance.pk, by_other):
            text = _("This would make the jobs start each other in a circle: %(path)s.")
            by_other[circle[1]].add_error(
                self.other_field, ValidationError(text % {"path": fetch_job_names_in_cycle(circle)})
            )


class TriggerTargetFormSet(TriggerFormSet):
    other_field = "target"


class TriggerSourceFormSet(TriggerFormSet):
    other_field = "source"


class TriggerInline(TabularInline):
    """Users who may change jobs may change triggers, although a trigger also starts another job."""

    model = JobTrigger
    form = TriggerForm
    extra = 0
    declared_as: ClassVar[str] = ""  #: the name of these triggers in a declaration in code

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).select_related("source", "target")  # for the names of the rows

    def _may_change(self, request: HttpRequest, obj: Job | None) -> bool:
        fixed = bool(self.declared_as) and self.declared_as in fields_set_by_declaration(obj)
        return request.user.has_perm("chroniker.change_job") and not fixed

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("chroniker.view_job") or request.user.has_perm("chroniker.change_job")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may_change(request, obj) or (request.user.has_perm("chroniker.add_job") and obj is None)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may_change(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may_change(request, obj)


class TriggerTargetsInline(TriggerInline):
    fk_name = "source"
    formset: type[Any] = TriggerTargetFormSet
    autocomplete_fields = ("target",)
    verbose_name_plural = gettext_lazy("starts these jobs at its end")


class TriggerSourcesInline(TriggerInline):
    fk_name = "target"
    formset: type[Any] = TriggerSourceFormSet
    autocomplete_fields = ("source",)
    declared_as = "triggered_by"
    verbose_name_plural = gettext_lazy("is started by the end of")
