"""The management commands that jobs may run, by app, each with its help: read from the source, nothing is imported."""

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

#: Of a help text, in a list.
LONGEST_HELP = 200


@dataclass(frozen=True, slots=True)
class AvailableCommand:
    name: str
    app: str
    help: str  #: empty where the source does not state it as plain text


def available_commands() -> list[AvailableCommand]:
    """All that may be run, app by app; those of Django and its contributed apps last."""
    found = [
        AvailableCommand(name, app_of(name), static_help(name))
        for name in get_commands()
        if policy.denial_reason(name) is None
    ]
    return sorted(found, key=lambda offer: (offer.app.startswith("django."), offer.app, offer.name))


def app_of(command: str) -> str:
    """The app that defines it, as ``INSTALLED_APPS`` names it."""
    found: object = get_commands()[command]  # Django also knows commands that were put there as objects
    return found if isinstance(found, str) else type(found).__module__.partition(".management.")[0]


def static_help(command: str) -> str:
    """The ``help`` of the command's class, on one line, if its own file states it as text."""
    source = _source(app_of(command), command)
    text = " ".join((_help_in(source) if source else "").split())
    return text if len(text) <= LONGEST_HELP else text[: LONGEST_HELP - 1] + "…"


def _source(app: str, command: str) -> Path | None:
    if app == "django.core":
        home = Path(django.__file__).parent / "core"
    else:
        homes = [Path(config.path) for config in apps.get_app_configs() if config.name == app]
        if not homes:
            return None
        home = homes[0]
    return home / "management" / "commands" / f"{command}.py"


@cache
def _help_in(source: Path) -> str:
    try:
        module = ast.parse(source.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return ""  # a package, or no Python: its help is shown when it is chosen
    for node in module.body:
        if isinstance(node, ast.ClassDef) and node.name == "Command":
            return next(filter(None, (_text(statement, module) for statement in node.body)), "")
    return ""


def _text(statement: ast.stmt, module: ast.Module) -> str:
    """What ``help = …`` says: a text, one for translation, or the module's docstring."""
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
    """The command itself. Imports its code, so it may raise anything; only for a command that may be run."""
    from django.core.management import load_command_class

    found: object = get_commands()[command]
    return found if isinstance(found, BaseCommand) else load_command_class(str(found), command)
