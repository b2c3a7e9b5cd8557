"""Picks a task in the form of a job."""

from __future__ import annotations

import inspect
from collections.abc import Sequence

from django.utils.translation import gettext_lazy as _

from chroniker.exceptions import FOREIGN_CODE_ERRORS
from chroniker.job_commands.pickers import ParsedCall, Picker, PickerChoice
from chroniker_celery.importing.celery_app import find_project_celery_app, import_task_modules
from chroniker_celery.task_call import TASK_COMMAND_NAME, AnyTask, task_names

#: How many characters of a docstring's first line are shown.
MAX_HELP_LENGTH = 200
JSON_OPTIONS = ("--args", "--kwargs")


def list_tasks() -> list[PickerChoice]:
    """The project's tasks. Empty if its Celery app or a module with tasks cannot be imported."""
    try:
        app = find_project_celery_app()
        import_task_modules(app)
    except FOREIGN_CODE_ERRORS:
        return []
    return [
        PickerChoice(name, _signature(app.tasks[name]), _first_line_of_docstring(app.tasks[name]))
        for name in task_names(app)
    ]


def _signature(task: AnyTask) -> str:
    """The task's signature, without annotations, which may be long."""
    try:
        found = inspect.signature(task.run)
    except (TypeError, ValueError):  # a task without a Python function
        return "(…)"
    plain = [each.replace(annotation=inspect.Parameter.empty) for each in found.parameters.values()]
    return str(found.replace(parameters=plain, return_annotation=inspect.Signature.empty))


def _first_line_of_docstring(task: AnyTask) -> str:
    text = inspect.getdoc(task.run) or ""
    return text.partition("\n")[0].strip()[:MAX_HELP_LENGTH]


def parse_task_call(words: Sequence[str]) -> ParsedCall | None:
    """The words of a job of ``run_celery_task``. ``None`` if they do not begin with the task, or end in an option."""
    if not words or words[0].startswith("-"):
        return None
    found = {option: "" for option in JSON_OPTIONS}
    others, rest = [], iter(words[1:])
    for word in rest:
        option, equals, value = word.partition("=")
        if option not in found:
            others.append(word)
            continue
        given = value if equals else next(rest, None)
        if given is None:
            return None
        found[option] = given
    return ParsedCall(words[0], found["--args"], found["--kwargs"], others)


CELERY_TASK_PICKER = Picker(
    TASK_COMMAND_NAME,
    _("Celery task"),
    _("With --send the task is handed over to other workers: its result is not tracked."),
    list_tasks,
    parse_task_call,
)
