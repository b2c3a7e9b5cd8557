"""The arguments of ``run_celery_task``: parsed when the command runs, and checked when its job is saved."""

from __future__ import annotations

import difflib
import json
from argparse import ArgumentTypeError
from collections.abc import Sequence
from typing import Any, TypeAlias

from celery import Celery
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.translation import gettext as _

from chroniker.escaping import shortened
from chroniker.exceptions import FOREIGN_CODE_ERRORS
from chroniker_celery.importing.celery_app import find_project_celery_app, import_task_modules

TASK_COMMAND_NAME = "run_celery_task"
#: How many characters the positional or the keyword arguments may have.
MAX_JSON_LENGTH = 65_536
#: Tasks that jobs do not run: Celery's own, and that of runs.
HIDDEN_TASK_PREFIXES = ("celery.", "chroniker_celery.")

#: ``celery.app.task.Task``; its stubs are incomplete.
AnyTask: TypeAlias = Any


def add_arguments(parser: CommandParser) -> None:
    parser.add_argument("name", help="the task's name: shop.tasks.report")
    # Django keeps "args" for itself.
    parser.add_argument(
        "--args", dest="values", type=parse_json_list, default=[], metavar="JSON", help="""a list: '["a", 1]'"""
    )
    parser.add_argument(
        "--kwargs",
        dest="pairs",
        type=parse_json_object,
        default={},
        metavar="JSON",
        help="""an object: '{"full": true}'""",
    )
    parser.add_argument(
        "--retry-inline", action="store_true", help="self.retry() repeats at once in this run, without the job's policy"
    )
    parser.add_argument("--send", action="store_true", help="send it to a worker; only then the options below apply")
    parser.add_argument("--queue")
    parser.add_argument("--exchange")
    parser.add_argument("--routing-key")
    parser.add_argument("--headers", type=parse_json_object, metavar="JSON")
    parser.add_argument("--priority", type=int)
    parser.add_argument("--expires", type=float, metavar="SECONDS")


def parse_json_list(text: str) -> list[Any]:
    """A list in JSON."""
    found: list[Any] = _parse_json(text, list, _("a list, like %(example)s") % {"example": '["a", 1]'})
    return found


def parse_json_object(text: str) -> dict[str, Any]:
    """An object in JSON."""
    found: dict[str, Any] = _parse_json(text, dict, _("an object, like %(example)s") % {"example": '{"full": true}'})
    return found


def _parse_json(text: str, kind: type, expected_form: str) -> Any:
    if len(text) > MAX_JSON_LENGTH:
        message = _("%(n)d characters; at most %(max)d are allowed.")
        raise ArgumentTypeError(message % {"n": len(text), "max": MAX_JSON_LENGTH})
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        names = {"text": shortened(text), "wanted": expected_form, "error": error}
        raise ArgumentTypeError(_("%(text)s is not JSON: %(error)s. Write %(wanted)s.") % names) from None
    if not isinstance(found, kind):
        names = {"text": shortened(text), "wanted": expected_form}
        raise ArgumentTypeError(_("%(text)s has the wrong type. Write %(wanted)s.") % names)
    return found


def sends_task(words: Sequence[str]) -> bool:
    """Whether ``run_celery_task`` sends the task and ends. The parser also accepts a shortened option."""
    return "--send" in words or "--sen" in words


def find_argument_problem(words: Sequence[str]) -> str:
    """Why ``run_celery_task`` would refuse these words; empty if it accepts them, or if that is not known here."""
    parser = _TaskArgumentParserCommand().create_parser("manage.py", TASK_COMMAND_NAME)
    try:
        options = vars(parser.parse_args(list(words)))
    except CommandError as error:
        return str(error).removeprefix("Error: ")
    except SystemExit:
        return _("--help and --version only print a text and check nothing.")
    try:
        app = find_project_celery_app()
        if not import_task_modules(app):
            return ""
    except FOREIGN_CODE_ERRORS:  # a system check reports an app that cannot be imported
        return ""
    name = options["name"]
    if name not in app.tasks:
        return "" if options["send"] else unknown_task_message(app, name)
    return find_signature_problem(app.tasks[name], options["values"], options["pairs"])


def unknown_task_message(app: Celery, name: str) -> str:
    near = difflib.get_close_matches(name[:200], task_names(app), n=1)
    hint = _(" Did you mean “%(near)s”?") % {"near": near[0]} if near else ""
    text = _("There is no task “%(name)s” in this project; --send sends it to a worker that has it.")
    return text % {"name": shortened(name, 200)} + hint


def task_names(app: Celery) -> list[str]:
    """The project's tasks."""
    return sorted(name for name in app.tasks if not name.startswith(HIDDEN_TASK_PREFIXES))


def find_signature_problem(task: AnyTask, args: list[Any], kwargs: dict[str, Any]) -> str:
    """Why the task does not accept these arguments. A task with ``typing=False`` is not checked, as in Celery."""
    if not task.typing:
        return ""
    try:
        task.__header__(*args, **kwargs)
    except TypeError as error:
        return _("The task does not accept these arguments: %(error)s.") % {"error": error}
    return ""


class _TaskArgumentParserCommand(BaseCommand):
    """Creates a parser with Django's common options."""

    def add_arguments(self, parser: CommandParser) -> None:
        add_arguments(parser)
