"""Decides whether a command needs a shell."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

SPECIAL_CHARACTERS = frozenset("|&;<>()$`\\*?[]{}!\n")
SPECIAL_IN_DOUBLE_QUOTES = frozenset("$`\\!")
_SHELL_BUILTINS_TEXT = """
. : [ [[ alias break case cd command continue do done elif else esac eval exec exit export fi for function if local read
readonly return set shift source test then time times trap type ulimit umask unset until wait while
"""
#: Words with a meaning for the shell at the beginning of a command.
SHELL_BUILTINS = frozenset(re.findall(r"\S+", _SHELL_BUILTINS_TEXT))
ASSIGNMENT_WORD_PATTERN = re.compile(r"^[A-Za-z_]\w*=")
#: A pattern: one word without expansions.
SHELL_WORD_REGEX = r"""(?:'[^']*'|"[^"$`\\]*"|[^\s'"$`\\;&|<>()*?\[\]{}~]+)"""


def can_run_without_shell(command: str) -> bool:
    """Whether the command has only words that mean the same with and without a shell."""
    quote = ""
    previous = " "
    for character in command:
        if quote:
            if character == quote:
                quote = ""
            elif quote == '"' and character in SPECIAL_IN_DOUBLE_QUOTES:
                return False
        elif character in "\"'":
            quote = character
        elif character in SPECIAL_CHARACTERS or (character in "#~" and previous.isspace()):
            return False
        previous = character
    words = shlex.split(command) if not quote else []
    return bool(words) and words[0] not in SHELL_BUILTINS and not ASSIGNMENT_WORD_PATTERN.match(words[0])


def add_standard_input(command: str, lines: Sequence[str]) -> str:
    """A shell command that passes these lines to the standard input of ``command``."""
    return f"printf '%s\\n' {shlex.join(lines)} | {{\n{command}\n}}" if lines else command


def unquote_word(word: str) -> str:
    """The value of one ``SHELL_WORD_REGEX``."""
    return shlex.split(word)[0] if word else ""
