from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from chroniker.command_api.current import current_run
from chroniker.management.terminal import ConsoleCommand
from chroniker_celery import task_call, task_run
from chroniker_celery.importing.celery_app import find_project_celery_app, import_task_modules


class Command(ConsoleCommand):
    help = (
        "Runs a Celery task in this process, as the run of a job: the run stores its output, and fails when it fails. "
        "self.retry() fails the run, and the job's retry policy decides. With --send the task is sent to a worker "
        "instead, and the command ends at once: what becomes of the task is not tracked."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        task_call.add_arguments(parser)

    def handle(self, *_args: Any, name: str, send: bool, **options: Any) -> None:
        app, args, kwargs = find_project_celery_app(), options["values"], options["pairs"]
        if send:
            known = ("queue", "exchange", "routing_key", "headers", "priority", "expires")
            routing = {option: options[option] for option in known if options[option] is not None}
            run = current_run()
            if run is not None:  # the name in logs and Flower
                routing["shadow"] = run.job_name
            sent = app.send_task(name, args=args, kwargs=kwargs, **routing)
            self.stdout.write(f"sent as {sent.id}; what becomes of it is not tracked")
            return
        import_task_modules(app)
        if name not in app.tasks:
            raise CommandError(task_call.unknown_task_message(app, name))
        if refusal := task_call.find_signature_problem(app.tasks[name], args, kwargs):
            raise CommandError(refusal)
        if text := task_run.run_task(app.tasks[name], args, kwargs, retry_inline=options["retry_inline"]):
            self.stdout.write(text)
