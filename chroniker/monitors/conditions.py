"""``app.Model`` and ``field__lookup=value`` as a queryset, with every mistake named before the database is asked."""

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
    """The model's records for which all of ``filters`` hold and none of ``excludes``, each counted once.

    Raises ``MonitorError``. Nothing is asked of the database yet.
    """
    kind = find_model(model)
    found = kind._default_manager.all()
    wanted, unwanted = ([parse_condition(kind, text) for text in texts] for texts in (filters, excludes))
    try:
        # In one call: conditions on the same related record, not each on some related record.
        chosen = found.filter(*wanted)
        for each in unwanted:
            chosen = chosen.exclude(each)
        # By way of their keys: a join with many related records would count each record as often.
        return found.filter(pk__in=chosen.order_by().values("pk"))
    except (FieldError, TypeError, ValueError) as error:
        raise MonitorError(str(error)) from error


def find_model(text: str) -> Model:
    label, dot, name = text.strip().partition(".")
    if not (dot and label and name):
        raise MonitorError(_("“%(text)s” is no model: write APP.MODEL, for example auth.User.") % {"text": text})
    try:
        return apps.get_model(label, name)
    except (LookupError, ValueError):
        known = [model._meta.label for model in apps.get_models()]
        said = _("There is no model “%(text)s”.") % {"text": text}
        raise MonitorError(said + _nearest(text, known)) from None


def parse_condition(model: Model, text: str) -> Q:
    """One ``field__lookup=value``. Raises ``MonitorError`` that names the field and says what would be right."""
    path, sign, value = text.partition("=")
    path = path.strip()
    if not sign or not path:
        right = _(
            "“%(text)s” is no condition: write FIELD=VALUE or FIELD__LOOKUP=VALUE, for example created__lt=now-7d."
        )
        raise MonitorError(right % {"text": text})
    target = _resolved(model, path)
    try:
        if "{%" in value:
            value = render(value, {})
        return Q(**{path: to_field_value(target.field, target.lookup, value)})
    except MonitorError as error:
        raise MonitorError(f"{path}: {error}") from None


@dataclass(frozen=True, slots=True)
class _Target:
    field: Field  #: what the value is compared with, after relations and transforms
    lookup: str


def _resolved(model: Model, path: str) -> _Target:
    """Follow the path: fields through relations, then transforms (``date``, ``year``), then the lookup."""
    parts = path.split("__")
    at: Model | None = model
    found: Any = None
    while parts and at is not None and (step := _field(at, parts[0])) is not None:
        found, at = step, step.related_model
        del parts[0]
    if found is None:
        raise MonitorError(_no_field(model, parts[0]))
    target = _target(found)
    for place, part in enumerate(parts):
        if place == len(parts) - 1 and target.get_lookup(part) is not None:
            return _Target(target, part)
        transform = target.get_transform(part)
        if transform is None:
            raise MonitorError(_no_lookup(path, part, target, at))
        output = getattr(transform, "output_field", None)
        target = output if isinstance(output, models.Field) else target
    return _Target(target, "exact")


def _field(model: Model, name: str) -> Any:
    if name == "pk":
        return model._meta.pk
    try:
        return model._meta.get_field(name)
    except FieldDoesNotExist:
        return None


def _target(field: Any) -> Field:
    """The field that has the values: a relation's are those of the key it refers to."""
    while getattr(field, "is_relation", False):
        if field.related_model is None:
            raise MonitorError(_("“%(name)s” refers to records of any kind; ask for its parts.") % {"name": field.name})
        field = field.target_field if field.concrete and not field.many_to_many else field.related_model._meta.pk
    result: Field = field
    return result


def _no_field(model: Model, name: str) -> str:
    known = _names(model)
    said = _("%(model)s has no field “%(name)s”.") % {"model": model._meta.label, "name": name}
    return f"{said}{_nearest(name, known)} " + _("It has: %(known)s.") % {"known": ", ".join(known)}


def _no_lookup(path: str, part: str, field: Field, related: Model | None) -> str:
    lookups = sorted(field.get_lookups())
    known = [*_names(related), *lookups] if related else lookups
    said = _("“%(path)s”: there is no “%(part)s”.") % {"path": path, "part": part}
    return f"{said}{_nearest(part, known)} " + _("There is: %(known)s.") % {"known": ", ".join(known)}


def _names(model: Model) -> list[str]:
    return sorted(field.name for field in model._meta.get_fields())


def _nearest(text: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(text, list(known), n=1)
    return _(" Did you mean “%(near)s”?") % {"near": near[0]} if near else ""
