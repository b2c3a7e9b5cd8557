"""The job's form."""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.utils.functional import cached_property
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from chroniker.admin.jobs.command_field import ArgumentLine, CommandChoice, objection
from chroniker.admin.shared.labels import name_inputs
from chroniker.conf import settings
from chroniker.models import EVERY_HOST, Host, Job

if TYPE_CHECKING:
    JobModelForm = forms.ModelForm[Job]
else:
    JobModelForm = forms.ModelForm


#: Hosts offered, those seen last; containers leave thousands behind.
MOST_HOSTS = 100


def _hosts_seen() -> list[str]:
    return list(Host.objects.order_by("-last_seen").values_list("name", flat=True)[:MOST_HOSTS])


class Suggesting(forms.TextInput):
    """A text field that offers values as one types. Takes others too: a command may have been removed since."""

    def __init__(self, suggestions: Iterable[str | tuple[str, str]], attrs: dict[str, Any] | None = None) -> None:
        super().__init__(attrs)
        self.suggestions = [(item, "") if isinstance(item, str) else item for item in suggestions]

    def render(self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None) -> SafeString:
        list_id = f"{name}-suggestions"
        field = super().render(name, value, {**(attrs or {}), "list": list_id, "autocomplete": "off"}, renderer)
        options = format_html_join("", '<option value="{}">{}</option>', self.suggestions)
        return format_html('{}<datalist id="{}">{}</datalist>', field, list_id, options)


class AsShownForm(JobModelForm):
    """A form that remembers what it showed, so that one opened long ago changes only what its person changed.

    What nobody touched keeps the value the database has by now; a field that somebody else changed too is refused.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk and (not self.is_bound or self._sends_what_it_showed()):
            for field in self.fields.values():
                field.show_hidden_initial = True

    def _sends_what_it_showed(self) -> bool:
        """A program that posts fields alone is taken at its word: each is compared with the database."""
        return self.add_initial_prefix("name") in self.data

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        if not self.instance.pk:
            return cleaned
        for name in list(cleaned):
            if name not in self.changed_data:
                del cleaned[name]  # the instance was read in this request and keeps its value
            elif self._changed_by_others(name):
                said = _("Another user changed this to “%(value)s” after you opened the page. Reload the page first.")
                self.add_error(name, said % {"value": self[name].initial})
        return cleaned

    def _changed_by_others(self, name: str) -> bool:
        bound = self[name]
        if not bound.field.show_hidden_initial:
            return False
        shown = bound.field.hidden_widget().value_from_datadict(self.data, self.files, bound.html_initial_name)
        return bound.field.has_changed(bound.initial, shown) and bound.field.has_changed(bound.initial, bound.data)

    @cached_property
    def changed_columns(self) -> list[str]:
        """What ``save(update_fields=…)`` is to write."""
        columns = {field.name for field in Job._meta.concrete_fields}
        return [name for name in self.changed_data if name in columns]


class JobForm(AsShownForm):
    class Meta:
        model = Job
        fields = "__all__"

    def add_error(self, field: str | None, error: Any) -> None:
        """What is wrong with a field that code declares cannot be mended here, and must not stand in the way of
        disabling the job."""
        if field is None and self.instance.is_declared and isinstance(error, ValidationError):
            said = getattr(error, "error_dict", {NON_FIELD_ERRORS: [error]})
            error = {name: each for name, each in said.items() if name in self.fields or name == NON_FIELD_ERRORS}
        if error:
            super().add_error(field, error)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        wide = {"class": "vTextField"}
        suggestions: dict[str, Iterable[str | tuple[str, str]]] = {
            "timezone": sorted(zoneinfo.available_timezones()),
            "executor": sorted(settings.executors),
            "hostname": [(EVERY_HOST, _("every live host")), *_hosts_seen()],
        }
        widgets: dict[str, forms.Widget] = {name: Suggesting(each, wide) for name, each in suggestions.items()}
        widgets |= {"command": CommandChoice(wide), "args": ArgumentLine({"class": "vLargeTextField"})}
        for name, widget in widgets.items():
            if name in self.fields:
                self.fields[name].widget = widget
        name_inputs(self, ("run_at", "starts_at", "ends_at"))
        for name, rows in {"args": 2, "raw_command": 2, "params": 2, "environment": 3, "secrets": 3}.items():
            if name in self.fields:
                self.fields[name].widget.attrs.update(rows=rows, spellcheck="false")

    def clean(self) -> dict[str, Any]:
        """Also asks the command whether it takes the arguments, when a person changed one of them.

        Not the model: a command that takes other options by now must not keep anybody from disabling its job.
        """
        cleaned = super().clean()
        if {"command", "args"} & set(self.changed_data) and not {"command", "args"} & self.errors.keys():
            command, args = cleaned.get("command", self.instance.command), cleaned.get("args", self.instance.args)
            if said := objection(command, args):
                self.add_error("args" if "args" in self.fields else None, said)
        return cleaned
