"""The form of a job: its fields suggest values, and saving does not overwrite changes of other users."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.utils.functional import cached_property
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from chroniker.admin.jobs import what_runs
from chroniker.admin.jobs.command_field import ArgumentsInput, CommandInput, parser_error
from chroniker.admin.jobs.form_times import TimesInJobZoneMixin
from chroniker.admin.jobs.tags_field import TagsField
from chroniker.admin.shared.input_labels import label_inputs
from chroniker.conf import settings
from chroniker.models import EVERY_HOST, Host, Job, Tag
from chroniker.models.job_validation import ARGUMENT_RULE_ERROR_CODE
from chroniker.schedule.zone_suggestions import zone_names

if TYPE_CHECKING:
    JobModelForm = forms.ModelForm[Job]
else:
    JobModelForm = forms.ModelForm


#: The largest number of suggested hosts, in the order in which they were last seen. Containers leave thousands of old
#: rows.
MAX_SUGGESTED_HOSTS = 100


def _recently_seen_hosts() -> list[str]:
    return list(Host.objects.order_by("-last_seen").values_list("name", flat=True)[:MAX_SUGGESTED_HOSTS])


class SuggestionInput(forms.TextInput):
    """A text field with suggestions. Other values are accepted too."""

    def __init__(self, suggestions: Iterable[str | tuple[str, str]], attrs: dict[str, Any] | None = None) -> None:
        super().__init__(attrs)
        self.suggestions = tuple((item, "") if isinstance(item, str) else item for item in suggestions)

    def render(self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None) -> SafeString:
        list_id = f"{name}-suggestions"
        field = super().render(name, value, {**(attrs or {}), "list": list_id, "autocomplete": "off"}, renderer)
        return format_html(
            '{}<datalist id="{}">{}</datalist>', field, list_id, _datalist_options_html(self.suggestions)
        )


@lru_cache(maxsize=16)
def _datalist_options_html(suggestions: Sequence[tuple[str, str]]) -> SafeString:
    """The option elements. They are cached, because there are hundreds of time zones."""
    return format_html_join("", '<option value="{}">{}</option>', suggestions)


class EditedFieldsForm(JobModelForm):
    """A form that also submits the values that it showed. So an old page changes only the fields that were edited.

    A field that was not edited keeps its value in the database. If the user edited a field, and another user has
    changed it after the page was opened, the form is refused.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk and (not self.is_bound or self._request_contains_initial_values()):
            for field in self.fields.values():
                field.show_hidden_initial = True

    def _request_contains_initial_values(self) -> bool:
        """Whether the request contains the values that the page showed. A script may send only the new values."""
        return self.add_initial_prefix("name") in self.data

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if not self.instance.pk:
            return cleaned
        for name in list(cleaned):
            if name not in self.changed_data:
                del cleaned[name]  # the instance was read in this request and keeps its value
            elif self._was_changed_by_others(name):
                text = _("Another user changed this to “%(value)s” after you opened the page. Reload the page first.")
                self.add_error(name, text % {"value": self[name].initial})
        return cleaned

    def _was_changed_by_others(self, field_name: str) -> bool:
        bound = self[field_name]
        if not bound.field.show_hidden_initial:
            return False
        shown = bound.field.hidden_widget().value_from_datadict(self.data, self.files, bound.html_initial_name)
        return bound.field.has_changed(bound.initial, shown) and bound.field.has_changed(bound.initial, bound.data)

    @cached_property
    def changed_columns(self) -> list[str]:
        """The changed columns, for ``save(update_fields=…)``."""
        columns = {field.name for field in Job._meta.concrete_fields}
        return [name for name in self.changed_data if name in columns]


class JobForm(TimesInJobZoneMixin, EditedFieldsForm):
    tags = TagsField()

    class Meta:
        model = Job
        fields = "__all__"

    def _save_m2m(self) -> None:
        """Also create new tags."""
        if "tags" in self.cleaned_data:
            self.cleaned_data["tags"] = Tag.objects.get_or_create_tags(self.cleaned_data["tags"])
        super()._save_m2m()  # type: ignore[misc]  # of ModelForm, but not in its stubs

    def is_valid(self) -> bool:
        """False also for a form that is posted only for a preview. Such a form is shown again, and is not saved."""
        return "_preview" not in self.data and super().is_valid()

    def add_error(self, field: str | None, error: Any) -> None:
        """Ignore errors of fields that code declares: they cannot be fixed here, and must not prevent disabling."""
        self._remove_arguments_constraint_error(error)
        if field is None and self.instance.is_declared and isinstance(error, ValidationError):
            said = getattr(error, "error_dict", {NON_FIELD_ERRORS: [error]})
            error = {name: each for name, each in said.items() if name in self.fields or name == NON_FIELD_ERRORS}
        if error:
            super().add_error(field, error)

    def _remove_arguments_constraint_error(self, error: Any) -> None:
        """Drop the error of the command's rule if the arguments were not edited, or already have another error.

        The rule may have changed since the job was saved, or a task may have been removed.
        """
        by_field: dict[str, list[ValidationError]] = getattr(error, "error_dict", {})
        is_edited = bool({"command", "args"} & set(self.changed_data))
        if is_edited and not self.has_error("args"):
            return
        if any(each.code == ARGUMENT_RULE_ERROR_CODE for each in by_field.get("args", ())):
            del by_field["args"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        wide = {"class": "vTextField"}
        suggestions: dict[str, Iterable[str | tuple[str, str]]] = {
            "timezone": zone_names(),
            "executor": sorted(settings.executors),
            "hostname": [(EVERY_HOST, _("every live host")), *_recently_seen_hosts()],
        }
        widgets: dict[str, forms.Widget] = {name: SuggestionInput(each, wide) for name, each in suggestions.items()}
        if {"command", "args"} <= self.fields.keys():
            texts = what_runs.command_choice_as_json(self["command"].value() or "", self["args"].value() or "")
            widgets["command"] = CommandInput(wide, texts)
        widgets |= {"args": ArgumentsInput({"class": "vLargeTextField"})}
        for name, widget in widgets.items():
            if name in self.fields:
                self.fields[name].widget = widget
        label_inputs(self, ("run_at", "starts_at", "ends_at"))
        for name, rows in {"args": 2, "raw_command": 2, "params": 2, "environment": 3, "secrets": 3}.items():
            if name in self.fields:
                self.fields[name].widget.attrs.update(rows=rows, spellcheck="false")

    def clean(self) -> dict[str, Any]:
        """Also check the arguments with the command's parser, if the command or the arguments were changed.

        The model does not check this: a user must be able to disable a job whose command has changed its options.
        """
        cleaned = super().clean()
        if {"command", "args"} & set(self.changed_data) and not {"command", "args"} & self.errors.keys():
            command, args = cleaned.get("command", self.instance.command), cleaned.get("args", self.instance.args)
            if error := parser_error(command, args):
                self.add_error("args" if "args" in self.fields else None, error)
        return cleaned
