"""Describes the arguments of management commands, and validates argument lines without running any action."""

from __future__ import annotations

import argparse
import difflib
import inspect
import os
import pathlib
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from types import CodeType
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandParser, DjangoHelpFormatter
from django.utils.translation import gettext as _

from chroniker.exceptions import FOREIGN_CODE_ERRORS, CommandLoadError
from chroniker.job_commands import argument_rules, catalogue, policy

#: Conversions without side effects. Others may open files or query a database; only the run applies them.
_SIDE_EFFECT_FREE_TYPES = (
    None,
    str,
    int,
    float,
    complex,
    bool,
    Decimal,
    uuid.UUID,
    pathlib.Path,
    pathlib.PurePath,
    os.fspath,
)
_COMMON_OPTIONS = frozenset(DjangoHelpFormatter.show_last) | {"-h", "--help"}


@dataclass(frozen=True, slots=True)
class Option:
    """One option or positional argument."""

    names: str  #: “--parts PARTS”, “-p, --parts PARTS”, “file [file …]”
    help: str
    required: bool
    default: str
    common: bool  #: whether every command has it


@dataclass(frozen=True, slots=True)
class CommandDescription:
    help: str
    options: list[Option]


class _InvalidArguments(Exception):
    """The error message of argparse."""


class _HelpOrVersionRequested(Exception):
    """The line has ``--help`` or ``--version``: its other words do not matter."""


def describe_command(command: str) -> CommandDescription:
    """The command's help and options. Raises ``CommandRefused`` or ``CommandLoadError``."""
    loaded, parser = _load_command_and_parser(command)
    shown = [action for action in parser._actions if action.help is not argparse.SUPPRESS]
    return CommandDescription(str(loaded.help or "").strip(), [_make_option(action, parser) for action in shown])


def argument_error(command: str, args: str) -> str | None:
    """Why the command would refuse this argument line, by its parser or by its rule. None if it accepts the line.

    Raises ``CommandRefused`` like ``policy.management_argv``.
    """
    words = policy.management_argv(command, args)[1:]
    return parser_error(command, args) or argument_rules.find_argument_problem(command, words) or None


def parser_error(command: str, args: str) -> str | None:
    """Why the command's parser would refuse this argument line. None if it accepts the line, or if that is unknown.

    Validates options, their number of values, plain types and choices. Raises ``CommandRefused`` like
    ``policy.management_argv``. A command that parses its arguments itself is not validated.
    """
    name, *words = policy.management_argv(command, args)
    try:
        loaded, parser = _load_command_and_parser(name)
        overrides = _overrides_of_run_from_argv(type(loaded))
        if overrides is None or _may_override_read_words(overrides, words) or _reads_argument_files(parser, words):
            return None  # it parses the line itself
        _disable_actions_that_print_or_exit(parser)
        parser.parse_args(words)
    except _InvalidArguments as error:
        message = _("“%(command)s” does not accept these arguments: %(error)s.")
        return message % {"command": name, "error": str(error).rstrip(".")} + _suggestion(words, parser)
    except FOREIGN_CODE_ERRORS:  # they must not make the form fail
        return None
    return None


def _load_command_and_parser(command: str) -> tuple[BaseCommand, CommandParser]:
    policy.management_argv(command, "")
    try:
        loaded = catalogue.load_command(command)
        return loaded, loaded.create_parser("manage.py", command)
    except FOREIGN_CODE_ERRORS as error:
        message = _("The code of “%(command)s” cannot be loaded here: %(type)s: %(error)s")
        names = {"command": command, "type": type(error).__name__, "error": error}
        raise CommandLoadError(message % names) from error


def _overrides_of_run_from_argv(command: type[BaseCommand]) -> list[CodeType] | None:
    """The code of ``run_from_argv`` overrides that call the original. None if one of them replaces it."""
    found: list[CodeType] = []
    for cls in command.__mro__:
        if cls is BaseCommand:
            return found
        if (function := cls.__dict__.get("run_from_argv")) is not None:
            code = getattr(inspect.unwrap(function), "__code__", None)
            if code is None or "run_from_argv" not in code.co_names:
                return None
            found.append(code)
    return None


def _may_override_read_words(overrides: Sequence[CodeType], words: Sequence[str]) -> bool:
    """Whether an override may read one of these words itself: its code contains the word as a literal."""
    literals = {text for code in overrides for text in _text_literals(code)}
    return any(word in literals or word.partition("=")[0] in literals for word in words)


def _text_literals(code: CodeType) -> Iterator[str]:
    for constant in code.co_consts:
        if isinstance(constant, str):
            yield constant
        elif isinstance(constant, CodeType):  # a comprehension or an inner function
            yield from _text_literals(constant)


def _make_option(action: argparse.Action, parser: CommandParser) -> Option:
    return Option(
        names=", ".join(action.option_strings) + _values_text(action),
        help=_help_text(action, parser),
        required=action.required and bool(action.option_strings),
        default=_default_text(action),
        common=bool(_COMMON_OPTIONS.intersection(action.option_strings)),
    )


def _default_text(action: argparse.Action) -> str:
    value = action.default
    is_trivial = value is None or isinstance(value, bool) or value in ("", argparse.SUPPRESS, [])
    return "" if is_trivial or action.nargs == 0 else str(value)


def _values_text(action: argparse.Action) -> str:
    """The values, as argparse shows them: “ PARTS”, “file [file …]”."""
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


def _help_text(action: argparse.Action, parser: CommandParser) -> str:
    text = str(action.help or "")
    try:
        return text % {**vars(action), "prog": parser.prog}
    except (KeyError, TypeError, ValueError):  # invalid placeholders, for which argparse fails, too
        return text


def _disable_actions_that_print_or_exit(parser: argparse.ArgumentParser) -> None:
    """Replace everything in the parser that has side effects."""
    vars(parser).update(error=_raise_invalid, exit=_raise_help_or_version_requested)
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for each in set(action.choices.values()):
                _disable_actions_that_print_or_exit(each)
            continue
        if isinstance(action, argparse._HelpAction | argparse._VersionAction):
            action.__class__ = _HelpOrVersionAction  # type: ignore[assignment]
        elif type(action).__module__ != "argparse":
            action.__class__ = _IgnoredAction
        if action.type not in _SIDE_EFFECT_FREE_TYPES:
            action.type = action.choices = None


def _raise_invalid(message: str) -> NoReturn:
    raise _InvalidArguments(message)


def _raise_help_or_version_requested(*args: Any, **kwargs: Any) -> NoReturn:
    raise _HelpOrVersionRequested


class _IgnoredAction(argparse.Action):
    def __call__(self, *args: Any, **kwargs: Any) -> None:
        pass


class _HelpOrVersionAction(argparse.Action):
    def __call__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise _HelpOrVersionRequested


def _reads_argument_files(parser: argparse.ArgumentParser, words: Sequence[str]) -> bool:
    prefixes = parser.fromfile_prefix_chars or ""
    return any(word[:1] in prefixes for word in words if word)


def _suggestion(words: Sequence[str], parser: argparse.ArgumentParser) -> str:
    """A hint with a known option that is similar to an unknown one."""
    known = [name for action in parser._actions for name in action.option_strings]
    for word in _unknown_options(words, known):
        if near := difflib.get_close_matches(word, known, n=1):
            return _(" Did you mean “%(near)s”?") % {"near": near[0]}
    return ""


def _unknown_options(words: Sequence[str], known: Sequence[str]) -> Iterator[str]:
    for word in words:
        name = word.partition("=")[0]
        if name.startswith("--") and not any(each.startswith(name) for each in known):
            yield name
