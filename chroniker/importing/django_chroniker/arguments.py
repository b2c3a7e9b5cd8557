"""Converts the arguments of django-chroniker to a command line.

django-chroniker called ``call_command(command, *words, **options)``, with ``name=value`` as an option. The name is the
``dest`` of the option. The value is text, so ``verbose=False`` switched the option *on*.
"""

from __future__ import annotations

import argparse
import shlex

from django.utils.translation import gettext as _

from chroniker.exceptions import FOREIGN_CODE_ERRORS
from chroniker.job_commands import catalogue

FALSE_WORDS = frozenset({"", "0", "false", "no", "none", "off"})


def to_command_line(command: str, text: str, *, like_a_shell: bool) -> tuple[str, list[str]]:
    """The command line here, and notes about differences. Version 1.1.0 split the text ``like_a_shell``;
    version 1.0 split it at spaces."""
    try:
        given = shlex.split(text) if like_a_shell else text.split()
    except ValueError:
        return text, []
    actions = _actions_by_name(command)
    words, notes = [], []
    for word in given:
        name, equals, value = word.partition("=")
        if not equals or word.startswith("-"):
            words.append(word)
        elif actions is not None and name not in actions:
            words.append(_format_option(name, value))
            notes.append(_("The command has no option “%(name)s” (%(word)s).") % {"name": name, "word": word})
        else:
            words += _words_of_argument(actions[name] if actions else None, name, value)
            if actions and actions[name].nargs == 0 and value and value.lower() in FALSE_WORDS:
                notes.append(_("“%(word)s” switched the option on there; here the option is off.") % {"word": word})
    return shlex.join(words), notes


def _words_of_argument(action: argparse.Action | None, name: str, value: str) -> list[str]:
    if action is None:
        return [_format_option(name, value)]
    if not action.option_strings:
        return [value]
    flag = max(action.option_strings, key=len)
    if action.nargs != 0:
        return [f"{flag}={value}" if flag.startswith("--") else f"{flag}{value}"]
    wanted = value.lower() not in FALSE_WORDS
    return [flag] if wanted != isinstance(action, argparse._StoreFalseAction) else []


def _format_option(name: str, value: str) -> str:
    return f"--{name.replace('_', '-')}={value}"


def _actions_by_name(command: str) -> dict[str, argparse.Action] | None:
    """The command's parameters by the names that ``call_command`` accepts. None: the command cannot be loaded."""
    try:
        actions = catalogue.load_command(command).create_parser("manage.py", command)._actions
    except FOREIGN_CODE_ERRORS:
        return None
    named = {min(each.option_strings).lstrip("-").replace("-", "_"): each for each in actions if each.option_strings}
    return named | {each.dest: each for each in actions}
