"""Lists the management commands that jobs may run, with their help, without importing their code."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import django
from django.apps import apps
from django.core.management import get_commands
from django.core.management.base import BaseCommand

from chroniker.job_commands import policy

#: How many characters of a help text the list shows.
MAX_HELP_LENGTH = 200


@dataclass(frozen=True, slots=True)
class AvailableCommand:
    name: str
    app: str
    help: str  #: empty if the source does not contain it as a literal


def available_commands() -> list[AvailableCommand]:
    """All allowed commands by app; those of Django come last."""
    found = [
        AvailableCommand(name, app_of_command(name), read_static_help(name))
        for name in get_commands()
        if policy.denial_reason(name) is None
    ]
    return sorted(found, key=lambda offer: (offer.app.startswith("django."), offer.app, offer.name))


def app_of_command(command: str) -> str:
    """The app of the command, as in ``INSTALLED_APPS``."""
    found: object = get_commands()[command]  # Django also accepts command objects
    return found if isinstance(found, str) else type(found).__module__.partition(".management.")[0]


def read_static_help(command: str) -> str:
    """The ``help`` of the command's class on one line, if its own file contains it as a literal."""
    source = _source_file(app_of_command(command), command)
    text = " ".join((_read_help(source) if source else "").split())
    return text if len(text) <= MAX_HELP_LENGTH else text[: MAX_HELP_LENGTH - 1] + "…"


def _source_file(app: str, command: str) -> Path | None:
    if app == "django.core":
        home = Path(django.__file__).parent / "core"
    else:
        homes = [Path(config.path) for config in apps.get_app_configs() if config.name == app]
        if not homes:
            return None
        home = homes[0]
    return home / "management" / "commands" / f"{command}.py"


@cache
def _read_help(source: Path) -> str:
    try:
        module = ast.parse(source.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return ""  # not a Python file: its help is shown after it is selected
    for node in module.body:
        if isinstance(node, ast.ClassDef) and node.name == "Command":
            return next(filter(None, (_help_text(statement, module) for statement in node.body)), "")
    return ""


def _help_text(statement: ast.stmt, module: ast.Module) -> str:
    """The text of ``help = …``: a literal, a translated literal, or the docstring of the module."""
    if isinstance(statement, ast.Assign):
        targets, value = statement.targets, statement.value
    elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
        targets, value = [statement.target], statement.value
    else:
        return ""
    if not any(isinstance(target, ast.Name) and target.id == "help" for target in targets):
        return ""
    if isinstance(value, ast.Call) and len(value.args) == 1:
        value = value.args[0]
    if isinstance(value, ast.Name) and value.id == "__doc__":
        return ast.get_docstring(module) or ""
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else ""


def load_command(command: str) -> BaseCommand:
    """The command object. Imports its code, which may raise anything. For allowed commands only."""
    from django.core.management import load_command_class

    found: object = get_commands()[command]
    return found if isinstance(found, BaseCommand) else load_command_class(str(found), command)
