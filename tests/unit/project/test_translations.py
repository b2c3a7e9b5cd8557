"""The texts for users are translated completely: each catalogue has all texts of its app, and no old ones."""

from __future__ import annotations

import ast
import gettext
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from django.utils.translation import override
from django.utils.translation.template import templatize

from chroniker.models import Status
from tests.support import ROOT

CATALOGUES = sorted(ROOT.glob("chroniker*/locale/*/LC_MESSAGES/django.po"))
FUNCTIONS = {"_", "gettext", "gettext_lazy", "gettext_noop", "ngettext", "ngettext_lazy"}
WITH_CONTEXT = {"pgettext", "pgettext_lazy", "npgettext", "npgettext_lazy"}
STRING = r"""u?('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
IN_TEMPLATES = re.compile(rf"n?(p?)gettext\({STRING}(?:, ?{STRING})?")
#: As in a compiled catalogue: between a context and its text.
SEPARATOR = "\x04"
PLACES = re.compile(r"%\(\w+\)|\{\w+\}")


class Entry(NamedTuple):
    """A message and its translation: two of each if it has a plural."""

    texts: list[str]
    forms: list[str]


Entries = dict[str, Entry]


def texts_of(app: Path) -> Iterator[str]:
    """All texts that the code of an app passes to gettext."""
    for path in app.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
                continue
            if node.func.id in FUNCTIONS:
                yield from _texts_in(node.args[0])
            elif node.func.id in WITH_CONTEXT:
                yield SEPARATOR.join(ast.literal_eval(argument) for argument in node.args[:2])
    for path in [*app.rglob("*.html"), *app.rglob("*.txt")]:
        for has_context, *strings in IN_TEMPLATES.findall(templatize(path.read_text(), origin=str(path))):
            first, second = (ast.literal_eval(string or "''") for string in strings)
            yield first + SEPARATOR + second if has_context else first


def _texts_in(argument: ast.expr) -> Iterator[str]:
    """Both of ``a if b else c``. A name stands for a text that ``gettext_noop`` has marked elsewhere."""
    if isinstance(argument, ast.IfExp):
        yield from _texts_in(argument.body)
        yield from _texts_in(argument.orelse)
    elif not isinstance(argument, ast.Name):
        yield ast.literal_eval(argument)


def entries_of(catalogue: Path) -> Entries:
    """The entries of a gettext file, without its header. A context precedes its text in the key."""
    found: Entries = {}
    for block in catalogue.read_text().split("\n\n")[1:]:
        parts: list[tuple[str, str]] = []
        for line in block.splitlines():
            word, _space, text = line.partition(" ")
            if word.startswith("msg"):
                parts.append((word, ast.literal_eval(text)))
            elif line.startswith('"'):
                parts[-1] = (parts[-1][0], parts[-1][1] + ast.literal_eval(line))
        if parts:
            key = SEPARATOR.join(text for word, text in parts if word in ("msgctxt", "msgid"))
            texts = [text for word, text in parts if word.startswith("msgid")]
            found[key] = Entry(texts, [text for word, text in parts if word.startswith("msgstr")])
    return found


@pytest.fixture(params=CATALOGUES, ids=lambda path: f"{path.parts[-5]}-{path.parts[-3]}")
def catalogue(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def test_there_is_a_catalogue_for_each_app() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in CATALOGUES} == {"chroniker", "chroniker_celery"}


def test_no_text_is_left_out_and_none_is_left_over(catalogue: Path) -> None:
    assert set(entries_of(catalogue)) == set(texts_of(catalogue.parents[3]))


def test_no_text_is_untranslated_or_guessed(catalogue: Path) -> None:
    assert [key for key, entry in entries_of(catalogue).items() if not all(entry.forms)] == []
    assert "fuzzy" not in catalogue.read_text()


def test_each_translation_names_the_same_values(catalogue: Path) -> None:
    for key, entry in entries_of(catalogue).items():
        # A language without plurals has one form, for any number.
        for text, form in zip(entry.texts[-len(entry.forms) :], entry.forms, strict=True):
            expected, named = set(PLACES.findall(text)), set(PLACES.findall(form))
            # The singular may be written in words: "every week", "every %(n)d weeks".
            ignored = {"%(n)"} if len(entry.texts) == 2 else set()
            assert named - ignored == expected - ignored, key


def test_what_is_compiled_says_the_same(catalogue: Path) -> None:
    with catalogue.with_suffix(".mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    for key, entry in entries_of(catalogue).items():
        found = [compiled.gettext(key)] if len(entry.texts) == 1 else [compiled.ngettext(key, key, n) for n in (1, 2)]
        assert list(dict.fromkeys(found)) == list(dict.fromkeys(entry.forms)), key


@pytest.mark.parametrize(
    ("language", "word"), [("de", "erfolgreich"), ("es", "éxito"), ("fr", "succès"), ("zh-hans", "成功")]
)
def test_the_admin_speaks_the_language_of_its_reader(language: str, word: str) -> None:
    with override(language):
        assert str(Status.SUCCEEDED.label) == word
