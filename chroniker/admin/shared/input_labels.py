"""Accessible names (``aria-label``) for inputs to which Django's admin gives none."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext as _

if TYPE_CHECKING:
    InlineFormSet = forms.BaseInlineFormSet[Any, Any, Any]
else:
    InlineFormSet = forms.BaseInlineFormSet


class LabelledInputsFormSet(InlineFormSet):
    """The rows of an inline, whose inputs get accessible names: the admin does not connect them to their labels."""

    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        label_inputs(form, form.fields)


def label_inputs(form: forms.BaseForm, field_names: Iterable[str]) -> None:
    """Set the label of each field as the ``aria-label`` of its input. A date and a time input get one label each."""
    for name in field_names:
        if name in form.fields:
            field = form.fields[name]
            _set_aria_label(field.widget, str(field.label or name))


def _set_aria_label(widget: Any, label: str) -> None:
    if isinstance(widget, forms.SplitDateTimeWidget):
        for part, word in zip(widget.widgets, (_("date"), _("time")), strict=True):
            part.attrs["aria-label"] = f"{label}, {word}"
    else:
        widget = getattr(widget, "widget", widget)  # the widget of a relation is wrapped
        widget.attrs["aria-label"] = label
