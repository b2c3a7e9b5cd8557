"""Converts the text of a condition to the type of its field."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.db import models
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext as _

from chroniker.exceptions import MonitorError
from chroniker.monitors.relative_times import parse_relative_time

TRUE_WORDS, FALSE_WORDS = ("true", "yes", "on", "1"), ("false", "no", "off", "0")
#: Lookups that compare with text, whatever the type of the field is.
TEXT_LOOKUPS = {
    "contains", "icontains", "startswith", "istartswith", "endswith", "iendswith", "iexact", "regex", "iregex",
    "search", "has_key",
}  # fmt: skip

if TYPE_CHECKING:
    Field = models.Field[Any, Any]
else:
    Field = models.Field


def to_field_value(field: Field, lookup: str, text: str) -> Any:
    """The text as a value of the field. Raises ``MonitorError``, whose text shows a valid form."""
    if lookup == "isnull":
        return _parse_boolean(text)
    if lookup in ("in", "has_keys", "has_any_keys"):
        return [_convert_value(field, lookup, each.strip()) for each in text.split(",")]
    if lookup == "range":
        ends = text.split(",")
        if len(ends) != 2:
            message = _("“%(text)s” is not a range: write its start and end, separated by a comma.")
            raise MonitorError(message % {"text": text})
        return tuple(_convert_value(field, lookup, each.strip()) for each in ends)
    return _convert_value(field, lookup, text)


def _convert_value(field: Field, lookup: str, text: str) -> Any:
    if isinstance(field, models.JSONField):
        return text if lookup.startswith("has_") else _parse_json(text)
    if lookup in TEXT_LOOKUPS:
        return text
    if isinstance(field, models.DateField):
        return _parse_time(field, text)
    if isinstance(field, models.BooleanField):
        return _parse_boolean(text)
    try:
        value = field.to_python(text)
    except ValidationError as error:
        raise MonitorError(" ".join(error.messages)) from None
    if lookup in ("exact", "in"):
        _check_choices(field, value)
    return value


def _check_choices(field: Field, value: Any) -> None:
    """Without this check, a misspelt choice would match nothing, and the monitor would never fail."""
    choices = [key for key, label in field.flatchoices]
    if choices and value not in choices:
        known = ", ".join(str(key) for key in choices)
        raise MonitorError(
            _("“%(value)s” is not one of the choices of this field: %(known)s.") % {"value": value, "known": known}
        )


def _parse_time(field: Field, text: str) -> dt.date:
    moment = parse_relative_time(text) or _parse_absolute_time(text)
    if moment is None:
        message = _("“%(text)s” is not a date: write 2026-11-24, “2026-11-24 09:30”, now, today, now-7d or now-2h30m.")
        raise MonitorError(message % {"text": text})
    if isinstance(field, models.DateTimeField):
        return moment
    return timezone.localtime(moment).date()


def _parse_absolute_time(text: str) -> dt.datetime | None:
    try:
        moment = parse_datetime(text)
        day = parse_date(text) if moment is None else None
    except ValueError:  # for example 30 February
        return None
    if day is not None:
        moment = dt.datetime.combine(day, dt.time())
    if moment is None:
        return None
    return timezone.make_aware(moment) if timezone.is_naive(moment) else moment


def _parse_boolean(text: str) -> bool:
    word = text.strip().lower()
    if word in TRUE_WORDS + FALSE_WORDS:
        return word in TRUE_WORDS
    raise MonitorError(_("“%(text)s” is neither true nor false: write true or false.") % {"text": text})


def _parse_json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text  # a single word without quotes is text
