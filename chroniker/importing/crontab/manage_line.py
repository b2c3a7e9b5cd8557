"""Recognises crontab lines that run a management command of this project."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from django.utils.translation import gettext as _

from chroniker.importing.crontab.command_prefixes import UnwrappedCommand, unwrap_command

PYTHON_PROGRAM_NAME_PATTERN = re.compile(r"^python[\d.]*$")
#: Options of Python without an effect on the command.
IGNORED_PYTHON_OPTION_PATTERN = re.compile(r"-[uBEIsS]+")
NOTED_PYTHON_OPTION_PATTERN = re.compile(r"-[uBEIsSO]*(?:O+|[WX].*)")


@dataclass(frozen=True, slots=True)
class ManagePyCommand:
    command: str
    args: tuple[str, ...]
    variables: tuple[str, ...]
    "As NAME=value."
    prefixes: UnwrappedCommand

    @property
    def directory(self) -> str:
        return self.prefixes.directory


def parse_manage_py_line(line: str, home: str, own_manage_files: Collection[Path]) -> ManagePyCommand | None:
    """A line like ``[PREFIXES] [python] …/manage.py COMMAND …``; otherwise None.

    The file must be one of ``own_manage_files``, and nothing else in the line may need a shell. The prefixes are those
    of ``command_prefixes``.
    """
    found = unwrap_command(line, home)
    words = _remove_python(found) if found is not None else None
    if found is None or words is None or len(words) < 2 or words[1].startswith("-"):
        return None
    if Path(found.directory or home, words[0]).resolve() not in own_manage_files:
        return None
    variables, args = (
        _remove_settings_module_of_this_process(found.variables),
        _remove_settings_module_of_this_process(words[2:]),
    )
    if variables is None or args is None:
        return None
    return ManagePyCommand(words[1], tuple(args), tuple(variables), found)


def _remove_python(unwrapped: UnwrappedCommand) -> list[str] | None:
    """The words from manage.py on. Options of Python that matter are noted."""
    words = unwrapped.words
    if not PYTHON_PROGRAM_NAME_PATTERN.match(Path(words[0]).name):
        return words
    words = words[1:]
    while words and words[0].startswith("-"):
        option = words[0]
        words = words[1:]
        if option in ("-W", "-X") and words:
            option, words = f"{option} {words[0]}", words[1:]
        elif not IGNORED_PYTHON_OPTION_PATTERN.fullmatch(option) and not NOTED_PYTHON_OPTION_PATTERN.fullmatch(option):
            return None
        if not IGNORED_PYTHON_OPTION_PATTERN.fullmatch(option):
            unwrapped.notes.append(_("Python ran with the option “%(option)s”; here it does not.") % {"option": option})
    return words


def _remove_settings_module_of_this_process(words: Sequence[str]) -> list[str] | None:
    """The words without the settings module of this process. None if they name that of another project."""
    kept = []
    for word in words:
        name, _equals, value = word.partition("=")
        if name in ("--settings", "DJANGO_SETTINGS_MODULE"):
            if value != os.environ.get("DJANGO_SETTINGS_MODULE"):
                return None
        elif name == "--pythonpath":
            return None
        else:
            kept.append(word)
    return kept
