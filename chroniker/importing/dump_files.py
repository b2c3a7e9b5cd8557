"""Reads files of ``manage.py dumpdata``, without the app whose models they contain."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import IO, Any, TypeVar

from django.core.exceptions import ValidationError
from django.db.models import Model

from chroniker.exceptions import ImportRefused

M = TypeVar("M", bound=Model)
OPENERS_BY_SUFFIX: dict[str, Callable[..., IO[str]]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
#: Characters. The file is read into memory, and a small compressed file may contain any number.
MAX_DUMP_CHARACTERS = 2**28


def read_dump_objects(path: str) -> list[dict[str, Any]]:
    """The objects of a JSON or jsonl file. Raises ``ImportRefused``."""
    try:
        with OPENERS_BY_SUFFIX.get(Path(path).suffix, open)(path, "rt", encoding="utf-8") as file:
            text = file.read(MAX_DUMP_CHARACTERS)
            if file.read(1):
                raise ImportRefused(
                    f"{path} has more than {MAX_DUMP_CHARACTERS:,} characters. Dump jobs and logs separately."
                )
    except (OSError, EOFError, UnicodeDecodeError, lzma.LZMAError) as error:
        raise ImportRefused(f"{path} cannot be read: {error}") from error
    try:
        found = json.loads(text) if text.lstrip().startswith("[") else [json.loads(line) for line in text.splitlines()]
    except (ValueError, RecursionError) as error:
        raise ImportRefused(f"{path} is not JSON ({error}). Create it with manage.py dumpdata APP -o {path}") from error
    if not all(isinstance(each, dict) and {"model", "fields"} <= each.keys() for each in found):
        raise ImportRefused(f"{path} is not a file of dumpdata, which is a list of objects with model and fields.")
    return found


def rows_of_model(model: type[M], label: str, objects: Iterable[Mapping[str, Any]]) -> list[M]:
    """The objects with this label as instances of ``model``. Other fields than those of ``model`` are ignored."""
    return [_make_row(model, each) for each in objects if each["model"] == label]


def _make_row(model: type[M], dumped: Mapping[str, Any]) -> M:
    values: dict[str, Any] = {}
    for field in model._meta.concrete_fields:
        given = dumped.get("pk") if field.primary_key else dumped["fields"].get(field.name)
        if given is None:
            continue
        try:
            values[field.attname] = given if isinstance(given, list) else field.to_python(given)
        except ValidationError as error:
            raise ImportRefused(
                f"{dumped['model']} {dumped.get('pk')}: {field.name}: {' '.join(error.messages)}"
            ) from error
    return model(**values)
