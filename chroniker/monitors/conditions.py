"""Converts ``app.Model`` and ``field__lookup=value`` to a queryset, and validates them without a query."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist, FieldError
from django.db import models
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from chroniker.exceptions import MonitorError
from chroniker.monitors.templates import render
from chroniker.monitors.values import Field, to_field_value

Model = type[models.Model]


def filtered_records(model: str, filters: Sequence[str], excludes: Sequence[str]) -> QuerySet[Any]:
    """The records that match all of ``filters`` and none of ``excludes``, each of them once.

    Raises ``MonitorError``. Runs no query.
    """
    model_class = find_model(model)
    found = model_class._default_manager.all()
    wanted, unwanted = ([parse_condition(model_class, text) for text in texts] for texts in (filters, excludes))
    try:
        # In one call, so that all conditions apply to the same related record.
        chosen = found.filter(*wanted)
        for each in unwanted:
            chosen = chosen.exclude(each)
        # By primary keys, because a join with related records would return records several times.
        return found.filter(pk__in=chosen.order_by().values("pk"))
    except (FieldError, TypeError, ValueError) as error:
        raise MonitorError(str(error)) from error


def find_model(text: str) -> Model:
    label, dot, name = text.strip().partition(".")
    if not (dot and label and name):
        raise MonitorError(_("“%(text)s” is not a model: write APP.MODEL, for example auth.User.") % {"text": text})
    try:
        return apps.get_model(label, name)
    except (LookupError, ValueError):
        known = [model._meta.label for model in apps.get_models()]
        message = _("There is no model “%(text)s”.") % {"text": text}
        raise MonitorError(message + _suggestion_text(text, known)) from None


def parse_condition(model: Model, text: str) -> Q:
    """One ``field__lookup=value``. Raises ``MonitorError`` that names the field and a valid form."""
    path, sign, value = text.partition("=")
    path = path.strip()
    if not sign or not path:
        message = _(
            "“%(text)s” is not a condition: write FIELD=VALUE or FIELD__LOOKUP=VALUE, for example created__lt=now-7d."
        )
        raise MonitorError(message % {"text": text})
    target = _resolve_path(model, path)
    try:
        if "{%" in value:
            value = render(value, {})
        return Q(**{path: to_field_value(target.field, target.lookup, value)})
    except MonitorError as error:
        raise MonitorError(f"{path}: {error}") from None


@dataclass(frozen=True, slots=True)
class _ResolvedPath:
    field: Field  #: the field that is compared with the value, after relations and transforms
    lookup: str


def _resolve_path(model: Model, path: str) -> _ResolvedPath:
    """Follow the path: fields through relations, then transforms (``date``, ``year``), then the lookup."""
    parts = path.split("__")
    at: Model | None = model
    found: Any = None
    while parts and at is not None and (step := _find_field(at, parts[0])) is not None:
        found, at = step, step.related_model
        del parts[0]
    if found is None:
        raise MonitorError(_no_field_message(model, parts[0]))
    target = _resolve_value_field(found)
    for place, part in enumerate(parts):
        if place == len(parts) - 1 and target.get_lookup(part) is not None:
            return _ResolvedPath(target, part)
        transform = target.get_transform(part)
        if transform is None:
            raise MonitorError(_no_lookup_message(path, part, target, at))
        output = getattr(transform, "output_field", None)
        target = output if isinstance(output, models.Field) else target
    return _ResolvedPath(target, "exact")


def _find_field(model: Model, name: str) -> Any:
    if name == "pk":
        return model._meta.pk
    try:
        return model._meta.get_field(name)
    except FieldDoesNotExist:
        return None


def _resolve_value_field(field: Any) -> Field:
    """The field with the values. For a relation, this is the key that it refers to."""
    while getattr(field, "is_relation", False):
        if field.related_model is None:
            message = _("“%(name)s” is a generic relation; use its content type and object id.")
            raise MonitorError(message % {"name": field.name})
        field = field.target_field if field.concrete and not field.many_to_many else field.related_model._meta.pk
    result: Field = field
    return result


def _no_field_message(model: Model, name: str) -> str:
    known = _field_names(model)
    message = _("%(model)s has no field “%(name)s”.") % {"model": model._meta.label, "name": name}
    return f"{message}{_suggestion_text(name, known)} " + _("The fields of the model: %(known)s.") % {
        "known": ", ".join(known)
    }


def _no_lookup_message(path: str, part: str, field: Field, related: Model | None) -> str:
    lookups = sorted(field.get_lookups())
    known = [*_field_names(related), *lookups] if related else lookups
    message = _("“%(path)s”: there is no field or lookup “%(part)s”.") % {"path": path, "part": part}
    return f"{message}{_suggestion_text(part, known)} " + _("Possible: %(known)s.") % {"known": ", ".join(known)}


def _field_names(model: Model) -> list[str]:
    return sorted(field.name for field in model._meta.get_fields())


def _suggestion_text(text: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(text, list(known), n=1)
    return _(" Did you mean “%(near)s”?") % {"near": near[0]} if near else ""
