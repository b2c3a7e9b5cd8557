"""Accessible names (``aria-label``) for inputs that the admin leaves without one."""

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
    """Rows within a form whose inputs have names: the admin does not connect them to their heads and labels."""

    def add_fields(self, form: Any, index: int | None) -> None:
        super().add_fields(form, index)
        name_inputs(form, form.fields)


def name_inputs(form: forms.BaseForm, names: Iterable[str]) -> None:
    """Set the label of each field as the ``aria-label`` of its inputs; date and time get one each."""
    for name in names:
        if name in form.fields:
            field = form.fields[name]
            _set_label(field.widget, str(field.label or name))


def _set_label(widget: Any, label: str) -> None:
    if isinstance(widget, forms.SplitDateTimeWidget):
        for part, word in zip(widget.widgets, (_("date"), _("time")), strict=True):
            part.attrs["aria-label"] = f"{label}, {word}"
    else:
        widget = getattr(widget, "widget", widget)  # the widget of a relation is wrapped
        widget.attrs["aria-label"] = label
