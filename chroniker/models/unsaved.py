"""Rows of a model without the cost of ``Model.__init__``, for thousands of jobs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from django.db.models import NOT_PROVIDED, Model
from django.db.models.base import ModelState

M = TypeVar("M", bound=Model)


def unsaved(model: type[M], **columns: Any) -> M:
    """Like ``model(**columns)``, in a fifth of the time: the columns by ``attname``, the others by their defaults.

    Sends neither ``pre_init`` nor ``post_init``, sets no related objects, and does not refuse unknown names.
    """
    constants, made = _defaults(model)
    row = model.__new__(model)
    values = row.__dict__
    values["_state"] = ModelState()
    values.update(constants)
    for name, make in made:
        if name not in columns:
            values[name] = make()
    values.update(columns)
    return row


def partial(model: type[M], columns: Sequence[str], values: Sequence[Any]) -> M:
    """A row of the table with these columns, by ``attname``, the key among them. Like ``only()`` without signals: each
    other column is read from the database when it is used."""
    row = model.__new__(model)
    row.__dict__["_state"] = ModelState()
    row._state.adding = False
    row.__dict__.update(zip(columns, values, strict=True))
    return row


@functools.cache
def _defaults(model: type[Model]) -> tuple[dict[str, Any], list[tuple[str, Callable[[], Any]]]]:
    """The constant defaults by column, and the columns whose default is made for each row."""
    constants, made = {}, []
    for field in model._meta.concrete_fields:
        if field.default is not NOT_PROVIDED and callable(field.default):
            made.append((field.attname, field.default))
        else:
            constants[field.attname] = field.get_default()
    return constants, made
