"""The field for the tags of a job: a text field. A word that is no tag yet becomes a new tag."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from chroniker.models import Job
from chroniker.models.tag import split_tags


class TagsField(forms.CharField):
    """The cleaned value contains the names of the tags; ``JobForm`` saves them. The initial value: tags, or a text."""

    def __init__(self, **kwargs: Any) -> None:
        field = Job._meta.get_field("tags")
        attrs = {"class": "vTextField", "spellcheck": "false", "autocapitalize": "none"}
        words = {"label": field.verbose_name.capitalize(), "help_text": field.help_text}
        super().__init__(required=False, widget=forms.TextInput(attrs), **{**words, **kwargs})

    def prepare_value(self, value: Any) -> Any:
        return " ".join(_tag_names(value))

    def clean(self, value: Any) -> tuple[str, ...]:
        return split_tags(super().clean(value) or "")

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return set(split_tags(data or "")) != set(_tag_names(initial))
        except ValidationError:
            return True


def _tag_names(value: Any) -> list[str]:
    """The names of the tags. ``value``: tags, names, or a text that a user typed."""
    if value is None or isinstance(value, str):
        return (value or "").split()
    found: Iterable[Any] = value
    return sorted(str(each) for each in found)
