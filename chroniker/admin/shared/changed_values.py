"""The old and the new value of each changed field, in the change messages of the admin."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

from django import forms
from django.conf import settings as django_settings
from django.core.exceptions import ValidationError
from django.db.models import Model
from django.http import HttpRequest
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from chroniker.job_commands.secret_masking import mask_secrets, mask_variable_values
from chroniker.wording.formats import NO_VALUE_TEXT, full_time

#: The largest number of characters of a value. Longer values are cut.
MAX_VALUE_LENGTH = 200
#: Fields with ``NAME=value`` lines. The change message masks their values.
FIELDS_WITH_MASKED_VALUES = frozenset({"environment", "secrets"})


class ChangedValuesMixin:
    """Mixin of a ``ModelAdmin``. It writes “Limit from “2” to “3”” where Django writes “Limit”.

    The text is in the language of the project. Django translates field names when it shows the message, but does not
    translate this text.
    """

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        message: Any = super().construct_change_message(request, form, formsets, add)  # type: ignore[misc]
        changed = [entry["changed"] for entry in message if "changed" in entry]
        with translation.override(django_settings.LANGUAGE_CODE):
            for entry, (each, names) in zip(changed, _changed_forms(form, formsets, add), strict=True):
                entry["fields"] = [_change_text(each, name) for name in names]
        return message


def _changed_forms(form: Any, formsets: Any, add: bool) -> Iterable[tuple[Any, list[str]]]:
    """Each changed form with the names of its changed fields, in the order of Django's message."""
    if form.changed_data and not add:
        yield form, form.changed_data
    for formset in formsets or ():
        by_row = {id(each.instance): each for each in formset.initial_forms}
        for row, names in formset.changed_objects:
            yield by_row[id(row)], names


def _change_text(form: Any, field_name: str) -> str:
    """The label, the old and the new value. Only the label if both values look the same, such as masked secrets."""
    field = form.fields.get(field_name)
    label = str((field and field.label) or field_name)
    old = _masked_value_text(form, field_name, form.initial.get(field_name))
    new = _masked_value_text(form, field_name, form.cleaned_data.get(field_name))
    if old == new:
        return label
    return _("%(field)s from “%(old)s” to “%(new)s”") % {"field": label, "old": old, "new": new}


def _masked_value_text(form: Any, field_name: str, value: Any) -> str:
    text = _value_text(form.fields.get(field_name), value)
    if field_name in FIELDS_WITH_MASKED_VALUES:
        text = mask_variable_values(text)
    for secret_lines in (form.initial.get("secrets"), getattr(form.instance, "secrets", "")):
        text = mask_secrets(text, secret_lines or "")
    return f"{text[: MAX_VALUE_LENGTH - 1]}…" if len(text) > MAX_VALUE_LENGTH else text


def _value_text(field: forms.Field | None, value: Any) -> str:
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    if isinstance(value, dt.datetime):
        return full_time(value) if timezone.is_aware(value) else f"{value:%Y-%m-%d %H:%M:%S}"
    if hasattr(value, "__iter__") and not isinstance(value, str):
        return ", ".join(_value_text(None, each) for each in value) or NO_VALUE_TEXT
    if value is None or value == "":
        return NO_VALUE_TEXT
    if isinstance(field, forms.ModelChoiceField):
        return _chosen_row_name(field, value)
    if isinstance(field, forms.ChoiceField):
        choices: Any = field.choices
        labels = {str(key): label for key, label in choices}
        return str(labels.get(str(value), value))
    return str(value)


def _chosen_row_name(field: Any, value: Any) -> str:
    """The name of the chosen row; its key if the row cannot be chosen any more."""
    if isinstance(value, Model):
        return str(value)
    try:
        return str(field.to_python(value))
    except ValidationError:
        return str(value)
