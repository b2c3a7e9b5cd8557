"""Decides which commands jobs may run, when a job is saved and again when it is executed."""

from __future__ import annotations

import difflib
import functools
import shlex
from collections.abc import Sequence
from fnmatch import fnmatchcase

from django.core.management import get_commands
from django.utils.translation import gettext as _

from chroniker.conf import settings
from chroniker.escaping import shortened
from chroniker.exceptions import CommandRefused
from chroniker.job_commands import placeholders
from chroniker.job_commands.placeholders import SAMPLE_VALUES, Values

#: How many characters an argument line may have: the limit of Linux for one argument.
MAX_ARGUMENT_LINE_LENGTH = 131_072

#: Options of every management command that select its code, so they can run any code.
CODE_CHANGING_OPTIONS = ("--settings", "--pythonpath")


def split_words(text: str, text_name: str) -> list[str]:
    """Split like a shell, without expansions. Raises ``CommandRefused`` for unbalanced quotes."""
    if len(text) > MAX_ARGUMENT_LINE_LENGTH:  # splitting a million characters takes a second
        message = _("%(what)s has %(n)d characters; at most %(max)d are allowed.")
        raise CommandRefused(message % {"what": text_name, "n": len(text), "max": MAX_ARGUMENT_LINE_LENGTH})
    try:
        return shlex.split(text)
    except ValueError as error:
        hint = _('%(what)s cannot be split into words: %(error)s in %(text)s. Write a quote as \\\' or inside "…".')
        raise CommandRefused(hint % {"what": text_name, "error": str(error).lower(), "text": shortened(text)}) from None


def management_argv(command: str, args: str, values: Values = SAMPLE_VALUES) -> tuple[str, ...]:
    """The command and its arguments, with these values of placeholders: to validate a job, with samples.

    Raises ``CommandRefused`` if the command is unknown, a word is not allowed, or a quote is open.
    """
    if reason := denial_reason(command):
        raise CommandRefused(reason)
    marked, found = placeholders.extract_placeholders(args)
    argv = [placeholders.fill_word(word, found, values) for word in split_words(marked, _("The argument line"))]
    if not settings.raw_commands_allowed and (option := _find_code_changing_option(argv)):
        message = _(
            "“%(option)s” can change which code runs; it is refused while raw commands are disabled (%(switch)s)."
        )
        raise CommandRefused(message % {"option": option, "switch": "CHRONIKER_DISABLE_RAW_COMMAND"})
    return (command, *argv)


def _find_code_changing_option(argv: Sequence[str]) -> str | None:
    """One of ``CODE_CHANGING_OPTIONS``, also abbreviated, as argparse accepts it.

    A command's own “--set” is refused, too.
    """
    for word in argv:
        name = word.partition("=")[0]
        if word == "--":
            return None  # only positional arguments follow
        if len(name) > 2 and any(option.startswith(name) for option in CODE_CHANGING_OPTIONS):
            return name
    return None


def is_known_command(command: str) -> bool:
    """Whether this process can find the management command."""
    return command in get_commands()


def denial_reason(command: str) -> str | None:
    """Why jobs may not run this management command. None: they may."""
    known = get_commands()
    if command not in known:
        near = difflib.get_close_matches(command[:200], known, n=1)
        hint = _(" Did you mean “%(near)s”?") % {"near": near[0]} if near else ""
        return _("There is no management command “%(name)s”.") % {"name": shortened(command, 200)} + hint
    if _matches_any_pattern(command, settings.commands_denied):
        return _("The command “%(name)s” cannot be scheduled (CHRONIKER_COMMANDS_DENIED).") % {"name": command}
    if not _matches_any_pattern(command, settings.commands):
        return _("The command “%(name)s” is not allowed (CHRONIKER_COMMANDS).") % {"name": command}
    return None


def raw_argv(raw_command: str, values: Values = SAMPLE_VALUES) -> tuple[str, ...]:
    """The program and its arguments, with these values. Raises ``CommandRefused`` while raw commands are disabled."""
    if not settings.raw_commands_allowed:
        raise CommandRefused(_("Raw commands are disabled here (CHRONIKER_DISABLE_RAW_COMMAND)."))
    marked, found = placeholders.extract_placeholders(raw_command)
    argv = split_words(marked, _("The raw command"))
    if not argv:
        raise CommandRefused(_("The raw command is empty."))
    if found and placeholders.has_placeholder_mark(argv[0]):
        raise CommandRefused(_("The program cannot contain a placeholder; only its arguments can."))
    return tuple(placeholders.fill_word(word, found, values) for word in argv)


#: How many characters a command line may have to be stored with its run. MariaDB refuses statements of 16 MB.
MAX_RECORDED_LENGTH = 16_384


def planned_argv(command: str, raw_command: str, args: str) -> list[str] | None:
    """The words of a command line, for the record of a run; the rules are not checked. ``None``: they cannot be split,
    are too long, or are known only when the run starts."""
    if len(args) + len(raw_command) > MAX_RECORDED_LENGTH:  # long texts are not split, and not kept in the cache
        return None
    words = _split_command(command, raw_command, args)
    return None if words is None else argv_if_short(words)


@functools.lru_cache(maxsize=4096)
def _split_command(command: str, raw_command: str, args: str) -> tuple[str, ...] | None:
    try:
        marked, found = placeholders.extract_placeholders(raw_command or args)
        words = shlex.split(marked)
    except (ValueError, CommandRefused):
        return None
    return None if found else tuple(words if raw_command else [command, *words])


def argv_if_short(argv: Sequence[str]) -> list[str] | None:
    """These words, if they are short enough for the record of a run."""
    return [*argv] if sum(map(len, argv)) <= MAX_RECORDED_LENGTH else None


def _matches_any_pattern(command: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(command, pattern) for pattern in patterns)
