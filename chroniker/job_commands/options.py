"""What a management command takes, and whether an argument line fits. Its code is imported, its parser never acts."""

from __future__ import annotations

import argparse
import difflib
import os
import pathlib
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandParser, DjangoHelpFormatter
from django.utils.translation import gettext as _

from chroniker.exceptions import CommandUnreadable
from chroniker.job_commands import catalogue, policy

#: Conversions that do nothing but convert. Others may open files or ask a database, and are left to the run itself.
_PURE = (None, str, int, float, complex, bool, Decimal, uuid.UUID, pathlib.Path, pathlib.PurePath, os.fspath)
_EVERY_COMMANDS = frozenset(DjangoHelpFormatter.show_last) | {"-h", "--help"}


@dataclass(frozen=True, slots=True)
class Option:
    """One word of the command line that the command knows."""

    names: str  #: “--parts PARTS”, “-p, --parts PARTS”, “file [file …]”
    help: str
    required: bool
    default: str
    common: bool  #: every command has it


@dataclass(frozen=True, slots=True)
class Description:
    help: str
    options: list[Option]


class _Refused(Exception):
    """What argparse would have written before it ended the process."""


class _Enough(Exception):
    """``--help`` and the like: what else stands on the line does not matter."""


def describe(command: str) -> Description:
    """The command's help and options. Raises ``CommandRefused``, or ``CommandUnreadable`` with what went wrong."""
    loaded, parser = _load(command)
    shown = [action for action in parser._actions if action.help is not argparse.SUPPRESS]
    return Description(str(loaded.help or "").strip(), [_option(action, parser) for action in shown])


def argument_error(command: str, args: str) -> str | None:
    """Why the command would not take this argument line, in words; ``None``: it would, or nobody can tell.

    Options, their number of values, plain types and choices are looked at. Raises ``CommandRefused`` like
    ``policy.management_argv``. What only the command itself can judge is left to its run.
    """
    name, *words = policy.management_argv(command, args)
    try:
        loaded, parser = _load(name)
        if type(loaded).run_from_argv is not BaseCommand.run_from_argv or _reads_files(parser, words):
            return None  # it parses the line in a way of its own
        _make_inert(parser)
        parser.parse_args(words)
    except _Refused as refusal:
        said = _("“%(command)s” does not take this: %(why)s.") % {"command": name, "why": str(refusal).rstrip(".")}
        return said + _near(words, parser)
    except (Exception, SystemExit):  # whatever foreign code does, a form must not fall over it
        return None
    return None


def _load(command: str) -> tuple[BaseCommand, CommandParser]:
    policy.management_argv(command, "")
    try:
        loaded = catalogue.load_command(command)
        return loaded, loaded.create_parser("manage.py", command)
    except (Exception, SystemExit) as error:
        said = _("The code of “%(command)s” cannot be loaded here: %(kind)s: %(error)s")
        raise CommandUnreadable(said % {"command": command, "kind": type(error).__name__, "error": error}) from error


def _option(action: argparse.Action, parser: CommandParser) -> Option:
    return Option(
        names=", ".join(action.option_strings) + _values(action),
        help=_help(action, parser),
        required=action.required and bool(action.option_strings),
        default=_default(action),
        common=bool(_EVERY_COMMANDS.intersection(action.option_strings)),
    )


def _default(action: argparse.Action) -> str:
    value = action.default
    says_nothing = value is None or isinstance(value, bool) or value in ("", argparse.SUPPRESS, [])
    return "" if says_nothing or action.nargs == 0 else str(value)


def _values(action: argparse.Action) -> str:
    """“ PARTS”, “file [file …]”."""
    if action.nargs == 0:
        return ""
    if isinstance(action.metavar, tuple):
        name = " ".join(action.metavar)
    elif action.choices is not None and action.metavar is None:
        name = "{" + ",".join(map(str, action.choices)) + "}"
    else:
        name = action.metavar or (action.dest.upper() if action.option_strings else action.dest)
    forms = {"?": f"[{name}]", "*": f"[{name} …]", "+": f"{name} [{name} …]", argparse.REMAINDER: "…"}
    if isinstance(action.nargs, int) and not isinstance(action.metavar, tuple):
        text = " ".join([name] * action.nargs)
    else:
        text = forms.get(str(action.nargs), name)
    return f" {text}" if action.option_strings else text


def _help(action: argparse.Action, parser: CommandParser) -> str:
    text = str(action.help or "")
    try:
        return text % {**vars(action), "prog": parser.prog}
    except (KeyError, TypeError, ValueError):  # a sign that is no placeholder: argparse itself would fail here
        return text


def _make_inert(parser: argparse.ArgumentParser) -> None:
    """Of all that parsing may do, it only compares from now on."""
    vars(parser).update(error=_refuse, exit=_enough)
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for each in set(action.choices.values()):
                _make_inert(each)
            continue
        if isinstance(action, argparse._HelpAction | argparse._VersionAction):
            action.__class__ = _Ends  # type: ignore[assignment]
        elif type(action).__module__ != "argparse":
            action.__class__ = _DoesNothing
        if action.type not in _PURE:
            action.type = action.choices = None


def _refuse(message: str) -> NoReturn:
    raise _Refused(message)


def _enough(*args: Any, **kwargs: Any) -> NoReturn:
    raise _Enough


class _DoesNothing(argparse.Action):
    def __call__(self, *args: Any, **kwargs: Any) -> None:
        pass


class _Ends(argparse.Action):
    def __call__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise _Enough


def _reads_files(parser: argparse.ArgumentParser, words: Sequence[str]) -> bool:
    prefixes = parser.fromfile_prefix_chars or ""
    return any(word[:1] in prefixes for word in words if word)


def _near(words: Sequence[str], parser: argparse.ArgumentParser) -> str:
    """A known option that looks like one of those that are not, nor abbreviate one."""
    known = [name for action in parser._actions for name in action.option_strings]
    for word in _unknown(words, known):
        if near := difflib.get_close_matches(word, known, n=1):
            return _(" Did you mean “%(near)s”?") % {"near": near[0]}
    return ""


def _unknown(words: Sequence[str], known: Sequence[str]) -> Iterator[str]:
    for word in words:
        name = word.partition("=")[0]
        if name.startswith("--") and not any(each.startswith(name) for each in known):
            yield name
