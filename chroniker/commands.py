"""Which commands a job may run, and their words. Asked when a job is saved, and again when it is executed."""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Sequence
from fnmatch import fnmatchcase

from django.core.management import get_commands
from django.utils.translation import gettext as _

from chroniker.conf import settings
from chroniker.exceptions import CommandRefused


def words(text: str, what: str) -> list[str]:
    """Split like a shell does, without expanding anything. Raises ``CommandRefused`` for unbalanced quotes."""
    try:
        return shlex.split(text)
    except ValueError as error:
        hint = _('%(what)s cannot be split into words: %(error)s in %(text)s. Write a quote as \\\' or inside "…".')
        raise CommandRefused(hint % {"what": what, "error": str(error).lower(), "text": _short(text)}) from None


def management_argv(command: str, args: str) -> tuple[str, ...]:
    """The command's name and its words; raises ``CommandRefused`` when it is unknown, not allowed or badly quoted."""
    if refusal := refusal_of(command):
        raise CommandRefused(refusal)
    return (command, *words(args, _("The argument line")))


def refusal_of(command: str) -> str | None:
    """Why no job may run this management command, in words; ``None``: it may."""
    known = get_commands()
    if command not in known:
        near = difflib.get_close_matches(command, known, n=1)
        hint = _(" Did you mean “%(near)s”?") % {"near": near[0]} if near else ""
        return _("There is no management command “%(name)s”.") % {"name": command} + hint
    if _matches(command, settings.commands_denied):
        return _("The command “%(name)s” may not be scheduled (CHRONIKER_COMMANDS_DENIED).") % {"name": command}
    if not _matches(command, settings.commands):
        return _("The command “%(name)s” is not among those allowed (CHRONIKER_COMMANDS).") % {"name": command}
    return None


def raw_argv(raw_command: str) -> tuple[str, ...]:
    """The program and its arguments; raises ``CommandRefused`` while raw commands are switched off."""
    if not settings.raw_commands_allowed:
        raise CommandRefused(_("Raw commands are switched off here (CHRONIKER_DISABLE_RAW_COMMAND)."))
    argv = words(raw_command, _("The raw command"))
    if not argv:
        raise CommandRefused(_("The raw command is empty."))
    return tuple(argv)


def _matches(command: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(command, pattern) for pattern in patterns)


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "…"
