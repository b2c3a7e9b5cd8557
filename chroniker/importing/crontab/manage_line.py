"""What in a line takes a shell, and what is this project's own ``manage.py``."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

SPECIAL = frozenset("|&;<>()$`\\*?[]{}!\n")
IN_DOUBLE_QUOTES = frozenset("$`\\!")
_OWN_WORDS = """
. : [ [[ alias break case cd command continue do done elif else esac eval exec exit export fi for function if local read
readonly return set shift source test then time times trap type ulimit umask unset until wait while
"""
#: Words that are the shell's own where a command begins.
OWN_WORDS = frozenset(re.findall(r"\S+", _OWN_WORDS))
ASSIGNMENT = re.compile(r"^[A-Za-z_]\w*=")
QUOTED = r"""'[^']*'|"[^"$`\\]*"|[^\s'"$`\\;&|<>()*?\[\]{}~]+"""
CD = re.compile(rf"^\s*cd\s+(?P<directory>{QUOTED})\s*&&\s*(?P<rest>.*)$", re.DOTALL)
REDIRECTION = re.compile(rf"\s+(?:(?:[12&]?>>?|>&)\s*(?P<file>{QUOTED})|2>&1|<\s*/dev/null)\s*$")
PYTHON = re.compile(r"^python[\d.]*$")


def is_plain(command: str) -> bool:
    """Whether it is only words, which mean the same with a shell and without."""
    quote = ""
    previous = " "
    for character in command:
        if quote:
            if character == quote:
                quote = ""
            elif quote == '"' and character in IN_DOUBLE_QUOTES:
                return False
        elif character in "\"'":
            quote = character
        elif character in SPECIAL or (character in "#~" and previous.isspace()):
            return False
        previous = character
    words = shlex.split(command) if not quote else []
    return bool(words) and words[0] not in OWN_WORDS and not ASSIGNMENT.match(words[0])


def with_input(command: str, lines: Sequence[str]) -> str:
    """The command, fed these lines, in the shell's words."""
    return f"printf '%s\\n' {shlex.join(lines)} | {{\n{command}\n}}" if lines else command


@dataclass(frozen=True, slots=True)
class ManageLine:
    """A line that runs a management command of this project."""

    command: str
    words: tuple[str, ...]
    variables: tuple[str, ...]
    "As NAME=value."
    directory: str
    files: tuple[str, ...]
    "Where its output went."


def as_manage_line(line: str, home: str, own: Collection[Path]) -> ManageLine | None:
    """``[cd DIR &&] [NAME=value …] [python] …/manage.py COMMAND …``, with output redirected or not; else ``None``.

    Only where the file is one of ``own``, and nothing else in the line takes a shell.
    """
    moved = CD.match(line)
    directory = str(Path(home, shlex.split(moved["directory"])[0])) if moved else ""
    body, files = _without_redirections(moved["rest"] if moved else line)
    variables = []
    while match := re.match(rf"\s*([A-Za-z_]\w*=)({QUOTED})?\s+", body):
        variables.append(match[1] + (shlex.split(match[2])[0] if match[2] else ""))
        body = body[match.end() :]
    if not is_plain(body):
        return None
    words = shlex.split(body)
    if PYTHON.match(Path(words[0]).name):
        del words[0]
        while words and re.fullmatch(r"-[uOBIEsS]+", words[0]):
            del words[0]
    if len(words) < 2 or Path(directory or home, words[0]).resolve() not in own:
        return None
    rest = _without_our_settings([*variables, *words[2:]])
    if rest is None or words[1].startswith("-"):
        return None
    kept = tuple(each for each in variables if each in rest)
    return ManageLine(words[1], tuple(rest[len(kept) :]), kept, directory, tuple(files))


def _without_redirections(command: str) -> tuple[str, list[str]]:
    files: list[str] = []
    while match := REDIRECTION.search(command):
        if match["file"]:
            files.insert(0, shlex.split(match["file"])[0])
        command = command[: match.start()]
    return command, [file for file in files if file != "/dev/null"]


def _without_our_settings(words: Sequence[str]) -> list[str] | None:
    """Without the settings' name, if it is that of this process. ``None``: it is another, so it is another project."""
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
