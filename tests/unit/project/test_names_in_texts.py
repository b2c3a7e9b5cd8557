"""Comments and docstrings name only classes and constants that exist, and tests replace only attributes that exist."""

from __future__ import annotations

import importlib
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

from tests.support import ROOT

#: Of Django and psycopg, and a part of the names of events.
FOREIGN = {"EMAIL_TIMEOUT", "IsolationLevel", "KIND", "STORAGES", "TASKS"}
CLASS_OR_CONSTANT = re.compile(r"_?[A-Z][A-Z_]{2,}|_?(?:[A-Z][a-z]+)+")
IMPORTED = re.compile(r"^from (chroniker[\w.]*) import (\w+)$", re.MULTILINE)
REPLACED = re.compile(r"^(\w+)\.(\w+) = ", re.MULTILINE)


def test_comments_and_docstrings_name_what_exists() -> None:
    known, named = set(FOREIGN), list[tuple[str, str]]()
    for path in python_files("chroniker", "chroniker_celery", "tests"):
        for token in tokenize.generate_tokens(io.StringIO(path.read_text(encoding="utf-8")).readline):
            if token.type == tokenize.COMMENT or token.string.startswith('"""'):
                quoted = [each.rpartition(".")[2] for each in re.findall(r"`([\w.]+)`", token.string)]
                place = f"{path.relative_to(ROOT)}:{token.start[0]}"
                named += [(name, place) for name in quoted if CLASS_OR_CONSTANT.fullmatch(name)]
            elif token.type in {tokenize.NAME, tokenize.STRING}:
                known.update(re.findall(r"\w+", token.string))
    assert [(name, place) for name, place in named if name not in known] == []


def test_programs_in_tests_replace_what_exists() -> None:
    """A program in a string would otherwise set a new attribute, which nothing reads."""
    missing = []
    for path in python_files("tests"):
        text = path.read_text(encoding="utf-8")
        packages = {name: package for package, name in IMPORTED.findall(text)}
        for name, attribute in REPLACED.findall(text):
            if name in packages and not hasattr(importlib.import_module(f"{packages[name]}.{name}"), attribute):
                missing.append(f"{path.relative_to(ROOT)}: {name}.{attribute}")
    assert missing == []


def python_files(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))
