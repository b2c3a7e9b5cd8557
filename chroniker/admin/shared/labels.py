"""Names for inputs that the admin's own pages leave without one: a screen reader would say "edit text"."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext as _

if TYPE_CHECKING:
    InlineFormSet = forms.BaseInlineFormSet[Any, Any, Any]
else:
    InlineFormSet = forms.BaseInlineFormSet


class NamedInputs(InlineFormSet):
    """For a table within a form: its heads are not tied to its cells."""

    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        name_inputs(form, form.fields)


def name_inputs(form: forms.BaseForm, names: Iterable[str]) -> None:
    """Give these fields' inputs their label as ``aria-label``; date and time one each."""
    for name in names:
        if name in form.fields:
            field = form.fields[name]
            _name(field.widget, str(field.label or name))


def _name(widget: Any, label: str) -> None:
    if isinstance(widget, forms.SplitDateTimeWidget):
        for part, word in zip(widget.widgets, (_("date"), _("time")), strict=True):
            part.attrs["aria-label"] = f"{label}, {word}"
    else:
        widget = getattr(widget, "widget", widget)  # that of a relation is wrapped, for its buttons
        widget.attrs["aria-label"] = label
