from __future__ import annotations

import json
from typing import Any

from django.core.management.base import CommandError, CommandParser

from chroniker.management.terminal import ConsoleCommand
from chroniker_celery.importing.celery_app import project_app


def values(text: str) -> list[Any]:
    found: list[Any] = _of_kind(text, list)
    return found


def pairs(text: str) -> dict[str, Any]:
    found: dict[str, Any] = _of_kind(text, dict)
    return found


def _of_kind(text: str, kind: type) -> Any:
    found = json.loads(text)
    if not isinstance(found, kind):
        raise ValueError
    return found


class Command(ConsoleCommand):
    help = (
        "Runs a Celery task in this process, as the run of a job: the run stores its output, and fails when it fails. "
        "With --send the task is sent to a worker instead, and the command ends at once."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="the task's name: shop.tasks.report")
        # Django keeps "args" for itself.
        parser.add_argument(
            "--args", dest="values", type=values, default=[], metavar="JSON", help="""a list: '["a", 1]'"""
        )
        parser.add_argument(
            "--kwargs", dest="pairs", type=pairs, default={}, metavar="JSON", help="""an object: '{"full": true}'"""
        )
        parser.add_argument(
            "--send", action="store_true", help="send it to a worker; only then the options below apply"
        )
        parser.add_argument("--queue")
        parser.add_argument("--exchange")
        parser.add_argument("--routing-key")
        parser.add_argument("--headers", type=pairs, metavar="JSON")
        parser.add_argument("--priority", type=int)
        parser.add_argument("--expires", type=float, metavar="SECONDS")

    def handle(self, *_args: Any, name: str, send: bool, **options: Any) -> None:
        app, given = project_app(), {"args": options["values"], "kwargs": options["pairs"]}
        if send:
            known = ("queue", "exchange", "routing_key", "headers", "priority", "expires")
            routing = {option: options[option] for option in known if options[option] is not None}
            self.stdout.write(f"sent as {app.send_task(name, **given, **routing).id}")
            return
        app.loader.import_default_modules()
        if name not in app.tasks:
            raise CommandError(f"There is no task “{name}” in this project; --send sends it to a worker that has it.")
        result = app.tasks[name].apply(**given).get()
        if result is not None:
            self.stdout.write(repr(result))
